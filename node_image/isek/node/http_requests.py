"""Requests of HTTP/1.1, parsed by httptools, with a bound for all that is not a body."""

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 * 1024
"""Of a request's line and headers, of what stands between two pieces of its body, and of its trailers."""


class BoundedRequests(HttpToolsProtocol):
    """A connection that ends where a caller sends heads without an end, which the parser would keep however long.

    Offers to speak another protocol, such as Java's client makes with each first request, are passed over: httptools
    takes them for accepted, and the body for that other protocol's.
    """

    _beside_bodies = 0

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        self._unset_keepalive_if_required()
        self._beside_bodies += len(data)
        try:
            self._parse(memoryview(data))
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.send_400_response("This is no request that a node answers.")
        else:
            if self._beside_bodies > MAX_HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response(f"The head of a request may have {MAX_HEAD_BYTES} bytes.")

    def _parse(self, data: memoryview) -> None:
        while True:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as offered:
                data = data[offered.args[0] :]
            else:
                return
            self.parser = httptools.HttpRequestParser(self)
            self.parser.feed_data(self._head_without_offer())

    def _head_without_offer(self) -> bytes:
        method, version = self.scope["method"].encode(), self.scope["http_version"].encode()
        headers = [b"%s: %s" % header for header in self.headers if header[0] != b"upgrade"]
        return b"\r\n".join([b"%s %s HTTP/%s" % (method, self.url, version), *headers, b"", b""])

    def _should_upgrade(self) -> bool:
        """That it is yet to begin with a request which makes an offer."""
        return True

    def on_headers_complete(self) -> None:
        """The head has ended."""
        self._beside_bodies = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._beside_bodies = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._beside_bodies = 0
        super().on_message_complete()
