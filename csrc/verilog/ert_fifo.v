// A queue of DEPTH + 1 words, first in, first out. DEPTH: 2 or more.
//
// A word goes in where in_valid and in_ready, and out where out_valid and out_ready; a word that enters the empty
// queue is out_valid two cycles later, and one word a cycle is kept up from there. Every output is a register or
// a few gates behind one: neither side's valid or ready depends on the other side's in the same cycle, so that
// queues can be put one behind the other, and in circles, without long paths or loops.
//
// DEPTH words are in a memory, one in the register at its output. The memory's read is clocked, which lets a
// small one become look-up tables and a large one block RAM.
module ert_fifo #(
    parameter WIDTH = 64,
    parameter DEPTH = 16
) (
    input wire clk,
    input wire rst,
    input wire in_valid,
    output wire in_ready,
    input wire [WIDTH-1:0] in_data,
    output reg out_valid,
    input wire out_ready,
    output reg [WIDTH-1:0] out_data
);
    // A whole power of two: pointers wrap by themselves, and memories come in such sizes anyway.
    localparam BITS = $clog2(DEPTH);
    localparam FULL = DEPTH;

    // What is read was written in an earlier cycle; no_rw_check keeps Yosys from adding logic for a read of
    // the word that is being written.
    (* no_rw_check *) reg [WIDTH-1:0] memory [0:(1 << BITS)-1];
    reg [BITS-1:0] write_at, read_at;
    reg [BITS:0] level;  // words in the memory
    wire push = in_valid & in_ready;
    wire pop = (level != 0) & (~out_valid | out_ready);

    assign in_ready = level != FULL[BITS:0];

    always @(posedge clk) begin
        if (push) memory[write_at] <= in_data;
        if (pop) out_data <= memory[read_at];
    end

    always @(posedge clk) begin
        if (rst) begin
            write_at <= 0;
            read_at <= 0;
            level <= 0;
            out_valid <= 1'b0;
        end else begin
            if (push) write_at <= write_at + 1'b1;
            if (pop) read_at <= read_at + 1'b1;
            if (push & ~pop) level <= level + 1'b1;
            if (pop & ~push) level <= level - 1'b1;
            out_valid <= pop | (out_valid & ~out_ready);
        end
    end
endmodule
