"""An emulated Bitrix24 portal over real HTTP, for the demo, the tests and the benchmarks."""
