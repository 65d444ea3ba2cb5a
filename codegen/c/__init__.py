"""Program + kernels + arena -> readable, freestanding C11."""
