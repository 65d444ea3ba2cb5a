"""The compiler: front ends, Relax passes, Program, kernels, memory, C."""
