"""Pure rules of qualification: facts, rules and the date in; verdict and plan out. No I/O, no clock."""
