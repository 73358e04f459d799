"""Nodes: two in one program, which find each other; a team on one has a member on the other."""

from isek import IsekAgent, IsekTeam, Node, OpenAIModel

model = OpenAIModel("gpt-5-mini")
librarian = IsekAgent(
    name="librarian",
    model=model,
    description="Knows what stands in books",
    instructions="You answer from books, in one sentence.",
)
reporter = IsekAgent(
    name="reporter",
    model=model,
    description="Writes for newspapers",
    instructions="You write a headline and one paragraph from what you are given.",
)
press = IsekTeam(["librarian", reporter], name="press")  # the librarian is named by address: it lives elsewhere

if __name__ == "__main__":
    library = Node(port=0, node_id="library", agents=[librarian])  # port 0: any free one
    desk = Node(port=0, node_id="desk", agents=[press])
    library.build_server(daemon=True)
    desk.build_server(daemon=True)
    print(desk.send_message("librarian", "Why is the sky blue?"))
    print(library.send_message("press", "Why is the sky blue?"))
    desk.stop_server()
    library.stop_server()
