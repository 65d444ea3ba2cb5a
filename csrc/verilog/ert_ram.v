// A memory with one port to write and one to read; what is read at a cycle's address is there two cycles later.
//
// The second cycle is a register behind the memory: without it the way out of a block RAM and through a
// multiplexer is the longest of the circuit (ECP5: 55 instead of 95 MHz). A read of the word that is being
// written gives anything: who reads knows that the write is complete (`need`).
module ert_ram #(
    parameter WIDTH = 64,
    parameter DEPTH = 512,
    parameter BITS = DEPTH > 1 ? $clog2(DEPTH) : 1
) (
    input wire clk,
    input wire write,
    input wire [BITS-1:0] write_at,
    input wire [WIDTH-1:0] write_data,
    input wire [BITS-1:0] read_at,
    output reg [WIDTH-1:0] read_data
);
    (* no_rw_check, ram_style = "block" *) reg [WIDTH-1:0] memory [0:DEPTH-1];
    reg [WIDTH-1:0] found;
    always @(posedge clk) begin
        if (write) memory[write_at] <= write_data;
        found <= memory[read_at];
        read_data <= found;
    end
endmodule
