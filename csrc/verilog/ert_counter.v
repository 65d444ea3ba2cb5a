// Counts value + 1 steps, then begins anew; `last` (a register) marks the last of them.
module ert_counter #(
    parameter BITS = 8
) (
    input wire clk,
    input wire load,
    input wire [BITS-1:0] value,
    input wire step,
    output reg last
);
    reg [BITS-1:0] limit, left;
    wire [BITS-1:0] next = load ? value : last ? limit : left - 1'b1;
    always @(posedge clk) begin
        if (load) limit <= value;
        if (load | step) begin
            left <= next;
            last <= next == {BITS{1'b0}};
        end
    end
endmodule
