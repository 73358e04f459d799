"""What thinks for an agent: the language models, behind one interface."""

from isek.models.base import Message, Model, ModelReply, ToolCall, ToolSchema, Usage
from isek.models.echo import EchoModel
from isek.models.scripted import ScriptedModel

__all__ = ["EchoModel", "Message", "Model", "ModelReply", "ScriptedModel", "ToolCall", "ToolSchema", "Usage"]
