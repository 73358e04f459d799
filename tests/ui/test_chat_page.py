"""The chat page in Chromium, before a real mesh."""

import os
from pathlib import Path

from tests.support.chat_page import Browser, RunningPage
from tests.support.openai_server import OpenAIServer
from tests.support.waiting import until

ASKED = "[id='step-agent weather']"
CALLED = "[id='step-calculator']"
ANSWER = "[data-step-type='assistant_message']"


async def test_a_chosen_agent_answers_below_the_steps_that_it_took(browser: Browser) -> None:
    await browser.choose("planner")
    await browser.ask("What shall I do tomorrow?")
    await browser.until_shown("along the river.", at=ANSWER)

    await browser.click(CALLED)
    asked = await browser.text(f"div:has(> h3 > {ASKED})")
    assert "What will the weather be like tomorrow?" in asked
    assert "It will be 21 °C, or 69.8 °F, and dry." in asked
    await browser.until_shown("69.8", at=f"div:has(> h3 > {ASKED}) div:has(> h3 > {CALLED})")
    assert "**" not in await browser.text(ANSWER), "Markdown is drawn"
    if picture := os.environ.get("ISEK_SCREENSHOT"):
        await browser.keep_picture(Path(picture))


async def test_members_of_a_team_are_shown_as_they_are_asked(browser: Browser) -> None:
    await browser.choose("office")
    await browser.ask("What shall I do tomorrow?")
    await browser.until_shown("noted", at=ANSWER)

    shown = await browser.text()
    assert shown.index("agent planner") < shown.index("agent teller") < shown.index("noted")


async def test_an_answer_is_shown_as_it_is_written(browser: Browser, model: OpenAIServer) -> None:
    model.release.clear()
    await browser.choose("slow")
    await browser.ask("Well?")
    await browser.until_shown("the first half", at=ANSWER)

    assert "the second half" not in await browser.text(ANSWER)
    model.release.set()
    await browser.until_shown("the first half and the second half", at=ANSWER)


async def test_the_stop_button_ends_the_run(browser: Browser, model: OpenAIServer) -> None:
    model.release.clear()
    given_up = model.given_up
    await browser.choose("slow")
    await browser.ask("Well?")
    await browser.until_shown("the first half", at=ANSWER)
    await browser.click("#stop-button")

    await until(lambda: model.given_up > given_up, what="the model's call is given up")


async def test_a_conversation_outlives_a_reload_and_the_page_and_the_agent_remembers_it(
    browser: Browser, page: RunningPage, model: OpenAIServer
) -> None:
    await browser.choose("teller")
    await browser.ask("My name is Ada.")
    await browser.until_shown("noted", at=ANSWER)
    await browser.reload()
    await browser.until_shown("My name is Ada.", at="[data-step-type='user_message']")
    await browser.until_shown("noted", at=ANSWER)

    await page.stop()
    await page.start()
    await browser.open(page.url)
    await browser.until_shown("My name is Ada.", at="#thread-history")
    await browser.click("#thread-history [data-sidebar='menu-button']")
    await browser.until_shown("My name is Ada.", at="[data-step-type='user_message']")
    await browser.ask("Who am I?")

    def remembered() -> bool:
        said = [(each["role"], each["content"]) for each in model.requests[-1]["messages"]]
        return said[-3:] == [("user", "My name is Ada."), ("assistant", "noted"), ("user", "Who am I?")]

    await until(remembered, what="the model is told what was said before, once")
    assert await browser.chosen() == "teller"


async def test_what_goes_wrong_is_said_in_the_agent_s_words(browser: Browser) -> None:
    await browser.choose("broken")
    await browser.ask("Well?")

    await browser.until_shown("ModelError: out of order")


async def test_an_answer_cannot_tell_another_site_what_was_said(browser: Browser, page: RunningPage) -> None:
    await browser.choose("gossip")
    await browser.ask("secret")
    await browser.until_there(f"{ANSWER} img")

    assert await browser.asked() == {f"127.0.0.1:{page.port}"}
