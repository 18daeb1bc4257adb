"""Count the bytes that ReFrame's process sends and receives; the settings import this module there."""

import httpx


class Wire:
    """Counter of requests and bytes in the HTTP transport, which all requests pass."""

    def __init__(self):
        self.rows = {}
        self.in_flight = self.most_in_flight = 0
        self.send = httpx.AsyncHTTPTransport.handle_async_request

    def metered(self):
        wire = self

        async def handle_async_request(transport, request):
            # The queries of presigned URLs are secrets.
            row = wire.rows.setdefault((request.method, str(request.url.copy_with(query=None))), [0, 0, 0])
            row[0] += 1
            wire.in_flight += 1
            wire.most_in_flight = max(wire.most_in_flight, wire.in_flight)
            request.stream = Metered(request.stream, row, 1)
            try:
                response = await wire.send(transport, request)
            finally:
                wire.in_flight -= 1
            response.stream = Metered(response.stream, row, 2)
            return response

        return handle_async_request


class Metered(httpx.AsyncByteStream):
    def __init__(self, stream, row, column):
        self.stream, self.row, self.column = stream, row, column

    async def __aiter__(self):
        async for chunk in self.stream:
            self.row[self.column] += len(chunk)
            yield chunk

    async def aclose(self):
        await self.stream.aclose()
