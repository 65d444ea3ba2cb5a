// A VexRiscv core (VexRiscv_Full of pythondata-cpu-vexriscv, Wishbone) with memory and one byte port.
// Usage: vexriscv FIRMWARE.elf
// Memory   flash 4 MB at 0, RAM 512 KB at 0x40000000; every beat of a bus takes one cycle, no wait states
// Port     0xF0000000: 1 if a byte is there; 0xF0000004: read takes it, write sends one. Standard input and output.
//          Asking an empty port waits for the host: the core's time stands still, and ends when the input does.
// An access to anything else ends the simulation with a message and exit code 2.
#include "VVexRiscv.h"
#include "verilated.h"
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unistd.h>
#include <vector>

static const uint32_t FLASH_BYTES = 4u << 20, RAM_START = 0x40000000u, RAM_BYTES = 512u << 10, PORT = 0xF0000000u;
static std::vector<uint8_t> flash(FLASH_BYTES), ram(RAM_BYTES);

struct Port {
    uint8_t in[65536];
    ssize_t in_bytes = 0, in_at = 0;
    std::vector<uint8_t> out;

    void flush()
    {
        for (size_t done = 0; done < out.size();) {
            const ssize_t written = write(STDOUT_FILENO, out.data() + done, out.size() - done);
            if (written <= 0) {
                exit(EXIT_SUCCESS);
            }
            done += static_cast<size_t>(written);
        }
        out.clear();
    }

    uint32_t available()
    {
        if (in_at == in_bytes) {
            flush();
            in_at = 0;
            in_bytes = read(STDIN_FILENO, in, sizeof in);
            if (in_bytes <= 0) {
                exit(EXIT_SUCCESS);
            }
        }
        return 1;
    }

    uint8_t take()
    {
        available();
        return in[in_at++];
    }

    void send(uint8_t byte)
    {
        out.push_back(byte);
        if (byte == 0 && out.size() > 1) { // the end of a frame: what comes next may take long
            flush();
        }
    }
};
static Port port;

static uint8_t *memory(uint32_t address)
{
    if (address < FLASH_BYTES) {
        return &flash[address];
    }
    if (address >= RAM_START && address - RAM_START < RAM_BYTES) {
        return &ram[address - RAM_START];
    }
    return nullptr;
}

static void refuse(const char *what, uint32_t address)
{
    port.flush();
    fprintf(stderr, "vexriscv: %s 0x%08x, which is no memory\n", what, address);
    exit(2);
}

static uint32_t load(uint32_t address, const char *what)
{
    if (address == PORT) {
        return port.available();
    }
    if (address == PORT + 4) {
        return port.take();
    }
    const uint8_t *at = memory(address);
    if (at == nullptr) {
        refuse(what, address);
    }
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static void store(uint32_t address, uint32_t value, uint32_t lanes)
{
    if (address == PORT + 4) {
        port.send(static_cast<uint8_t>(value));
        return;
    }
    uint8_t *at = address >= RAM_START ? memory(address) : nullptr;
    if (at == nullptr) {
        refuse("write to", address);
    }
    for (uint32_t i = 0; i < 4; i++) {
        if ((lanes >> i & 1) != 0) {
            at[i] = static_cast<uint8_t>(value >> 8 * i);
        }
    }
}

static uint32_t word(const std::vector<uint8_t> &data, size_t at, size_t nbytes)
{
    uint32_t value = 0;
    if (at + nbytes > data.size()) {
        fprintf(stderr, "vexriscv: the ELF file is truncated\n");
        exit(2);
    }
    memcpy(&value, data.data() + at, nbytes);
    return value;
}

// Segments to where they are stored (p_paddr); returns the entry. Source: System V ABI, chapter 5, ELF32
static uint32_t load_elf(const char *path)
{
    std::vector<uint8_t> data;
    FILE *file = fopen(path, "rb");
    if (file == nullptr) {
        fprintf(stderr, "vexriscv: cannot read %s\n", path);
        exit(2);
    }
    uint8_t chunk[65536];
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, file)) > 0;) {
        data.insert(data.end(), chunk, chunk + n);
    }
    fclose(file);
    if (word(data, 0, 4) != 0x464C457Fu || word(data, 4, 1) != 1) {
        fprintf(stderr, "vexriscv: %s is no 32-bit ELF file\n", path);
        exit(2);
    }
    const uint32_t headers = word(data, 28, 4), size = word(data, 42, 2), count = word(data, 44, 2);
    for (uint32_t i = 0; i < count; i++) {
        const size_t h = headers + static_cast<size_t>(i) * size;
        const uint32_t offset = word(data, h + 4, 4), address = word(data, h + 12, 4), bytes = word(data, h + 16, 4);
        for (uint32_t b = 0; word(data, h, 4) == 1 && b < bytes; b++) {
            uint8_t *to = memory(address + b);
            if (to == nullptr) {
                refuse("a segment at", address + b);
            }
            *to = static_cast<uint8_t>(word(data, static_cast<size_t>(offset) + b, 1));
        }
    }
    return word(data, 24, 4);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: vexriscv FIRMWARE.elf\n");
        return 2;
    }
    VVexRiscv core;
    core.externalResetVector = load_elf(argv[1]);
    core.reset = 1;
    for (uint64_t cycle = 0;; cycle++) {
        core.clk = 0;
        core.eval();
        core.iBusWishbone_ACK = core.iBusWishbone_CYC && core.iBusWishbone_STB;
        core.dBusWishbone_ACK = core.dBusWishbone_CYC && core.dBusWishbone_STB;
        if (core.iBusWishbone_ACK && !core.reset) {
            core.iBusWishbone_DAT_MISO = load(core.iBusWishbone_ADR << 2, "jump to");
        }
        if (core.dBusWishbone_ACK && !core.reset) {
            const uint32_t address = core.dBusWishbone_ADR << 2;
            if (core.dBusWishbone_WE) {
                store(address, core.dBusWishbone_DAT_MOSI, core.dBusWishbone_SEL);
            } else {
                core.dBusWishbone_DAT_MISO = load(address, "read of");
            }
        }
        core.eval();
        core.clk = 1;
        core.eval();
        core.reset = cycle < 8;
    }
}
