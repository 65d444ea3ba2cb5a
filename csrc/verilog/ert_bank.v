// A bank of the scratchpad: 64-bit words, bytes written by themselves; as ert_ram otherwise.
module ert_bank #(
    parameter DEPTH = 512,
    parameter BITS = DEPTH > 1 ? $clog2(DEPTH) : 1
) (
    input wire clk,
    input wire write,
    input wire [BITS-1:0] write_at,
    input wire [63:0] write_data,
    input wire [7:0] write_bytes,
    input wire [BITS-1:0] read_at,
    output reg [63:0] read_data
);
    (* no_rw_check, ram_style = "block" *) reg [63:0] memory [0:DEPTH-1];
    reg [63:0] found;
    integer i;
    always @(posedge clk) begin
        for (i = 0; i < 8; i = i + 1)
            if (write & write_bytes[i]) memory[write_at][8*i +: 8] <= write_data[8*i +: 8];
        found <= memory[read_at];
        read_data <= found;
    end
endmodule
