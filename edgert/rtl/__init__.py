"""Cores in Verilog, simulated cycle by cycle: boards that nobody has to own."""
