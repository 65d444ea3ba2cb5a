"""Search for the network that a board runs best: `edgert search`. Needs `edgert[search]`.

space.py     what can be chosen: a candidate block for each layer
table.py     what each candidate costs on a board, measured there, in one SQLite file
lower.py     a row of blocks -> a quantized network to be compiled and measured, weights made up
dnas.py      FBNet's differentiable search
elastic.py   a super-net whose weights serve every choice
evolve.py    evolutionary search over it, by Optuna
candidate.py train, quantize, compile and measure one choice
run.py       all of it in order, resumable
plot.py      accuracy against latency, PNG and HTML
"""
