// Two registers between a client and an arbiter: neither side's valid or ready depends on the other's in the
// same cycle, one word a cycle goes through.
module ert_slot #(
    parameter WIDTH = 19
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
    reg spare_valid;
    reg [WIDTH-1:0] spare;
    assign in_ready = ~spare_valid;
    always @(posedge clk) begin
        if (rst) begin
            out_valid <= 1'b0;
            spare_valid <= 1'b0;
        end else begin
            if (~out_valid | out_ready) begin
                out_valid <= spare_valid | in_valid;
                spare_valid <= 1'b0;
            end else if (in_valid) spare_valid <= 1'b1;
        end
    end
    always @(posedge clk) begin
        if (~out_valid | out_ready) out_data <= spare_valid ? spare : in_data;
        if (in_ready) spare <= in_data;
    end
endmodule
