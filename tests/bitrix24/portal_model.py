"""A small portal for the client's tests: real limits, virtual or real time, faults on demand.

Speaks through `httpx.MockTransport`, so that with a virtual clock a minute costs nothing. Not the product's
sandbox: only the limits, batches and the few methods the client cares about.
"""

import asyncio
import heapq
import json
import re
from collections import defaultdict
from urllib.parse import parse_qsl

import httpx

URL = "https://acme.example/rest/7/s3cr3tc0de/"


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer when there is nothing to do."""

    def __init__(self):
        super().__init__()
        self._now = 1000.0

    def time(self):
        return self._now

    def _run_once(self):
        if not self._ready and self._scheduled:
            when = self._scheduled[0]._when
            if when > self._now:
                self._now = when
        super()._run_once()


def nested(query):
    """PHP's parse_str, as far as commands need it."""
    result = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        parts = re.findall(r"[^\[\]]+", key)
        place = result
        for part in parts[:-1]:
            place = place.setdefault(part, {})
        place[parts[-1]] = value
    return result


class Portal:
    """Bucket with whole-second drain, operating baskets, serial batches; counts what it sees."""

    def __init__(self, *, burst=50, rate=2, command_seconds=0.005, operating_limit=480.0, clock=None, latency=0.0):
        self.burst, self.rate, self.command_seconds = burst, rate, command_seconds
        self.operating_limit = operating_limit
        self.latency = latency
        self.clock = clock or (lambda: asyncio.get_running_loop().time())
        self.level, self.at = 0.0, None
        self.baskets = defaultdict(list)  # method -> [first call, seconds]
        self.requests, self.bodies, self.limited, self.blocked = 0, [], 0, 0
        self.in_flight, self.most_in_flight = 0, 0
        self.items = {}
        self.updates = []
        self.added = []
        self.costs = {}
        self.faults = []  # callables (method, body) -> httpx.Response | Exception | None, tried in order
        self.methods = {}

    def transport(self):
        return httpx.MockTransport(self.handle)

    async def handle(self, request):
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await self._handle(request)
        finally:
            self.in_flight -= 1

    async def _handle(self, request):
        self.requests += 1
        method = request.url.path.rsplit("/", 1)[-1].removesuffix(".json")
        body = json.loads(request.content)
        self.bodies.append((method, body))
        if self.latency:
            await asyncio.sleep(self.latency)
        for one in list(self.faults):
            told = one(method, body)
            if asyncio.iscoroutine(told):
                told = await told
            if told is not None:
                self.faults.remove(one)
                if isinstance(told, Exception):
                    raise told
                return told
        if not self.pour():
            self.limited += 1
            return httpx.Response(503, json={"error": "QUERY_LIMIT_EXCEEDED", "error_description": "Too many requests"})
        if method == "batch":
            return httpx.Response(200, json={"result": await self.batch(body["cmd"]), "time": self.times("batch", 0)})
        ok, told, extra = await self.run(method, body)
        if ok:
            return httpx.Response(200, json={"result": told, **extra})
        status = 429 if told["error"] == "OPERATION_TIME_LIMIT" else 400
        return httpx.Response(status, json=told)

    def pour(self):
        now = int(self.clock())  # drains in whole seconds
        if self.at is not None:
            self.level = max(0.0, self.level - (now - self.at) * self.rate)
        self.at = now
        self.level += 1
        if self.level > self.burst:
            self.level -= 1
            return False
        return True

    async def batch(self, commands):
        result, errors, times, totals, nexts = {}, {}, {}, {}, {}
        for key, text in commands.items():
            method, _, query = text.partition("?")
            ok, told, extra = await self.run(method, nested(query))
            (result if ok else errors)[key] = told
            if "time" in extra:
                times[key] = extra["time"]
            if "total" in extra:
                totals[key] = extra["total"]
        return {
            "result": result or [],
            "result_error": errors or [],
            "result_total": totals or [],
            "result_next": nexts or [],
            "result_time": times or [],
        }

    def operating(self, method):
        now = self.clock()
        kept = self.baskets[method] = [one for one in self.baskets[method] if one[0] + 600 > now]
        return sum(seconds for _, seconds in kept)

    def times(self, method, seconds):
        kept = self.baskets[method]
        told = {"start": self.clock(), "finish": self.clock(), "duration": seconds, "operating": self.operating(method)}
        if kept:
            told["operating_reset_at"] = kept[0][0] + 600
        return told

    async def run(self, method, params):
        if self.operating(method) > self.operating_limit:
            self.blocked += 1
            return False, {"error": "OPERATION_TIME_LIMIT", "error_description": "Method is blocked"}, {}
        cost = self.costs.get(method, self.command_seconds)
        await asyncio.sleep(cost)
        now = self.clock()
        kept = self.baskets[method]
        if kept and kept[-1][0] + 60 > now:
            kept[-1][1] += cost
        else:
            kept.append([now, cost])
        ok, told, extra = self.execute(method, params)
        return ok, told, {**extra, "time": self.times(method, cost)}

    def execute(self, method, params):
        if method in self.methods:
            return True, self.methods[method](params), {}
        if method == "crm.item.get":
            item = self.items.get(int(params["id"]))
            if item is None:
                return False, {"error": "NOT_FOUND", "error_description": "Item not found"}, {}
            return True, {"item": item}, {}
        if method == "crm.item.list":
            return True, {"items": self.page(params)}, {"total": 0}
        if method == "crm.item.update":
            self.updates.append(int(params["id"]))
            return True, {"item": {"id": int(params["id"])}}, {}
        if method == "crm.item.add":
            self.added.append(params["fields"])
            return True, {"item": {"id": len(self.added)}}, {}
        if method == "profile":
            return True, {"ID": "7"}, {}
        return False, {"error": "ERROR_METHOD_NOT_FOUND", "error_description": "Method not found!"}, {}

    def page(self, params):
        wanted = params.get("filter") or {}
        ids = self.items.keys()
        if "@id" in wanted:
            listed = wanted["@id"]
            listed = listed.values() if isinstance(listed, dict) else listed
            ids = [int(one) for one in listed if int(one) in self.items]
        low, high = int(wanted.get(">id", 0)), int(wanted.get("<=id", 10**12))
        ids = (one for one in ids if low < one <= high)
        picked = heapq.nlargest(50, ids) if params["order"]["id"] == "DESC" else heapq.nsmallest(50, ids)
        return [self.items[one] for one in picked]


def answer_once(response, *, method=None):
    """A fault that answers the next request (of this method) with `response`, or raises it."""

    def one(name, _body):
        return response if method in (None, name) else None

    return one
