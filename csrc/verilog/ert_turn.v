// Whose turn it is: one of those who ask, in the same cycle; the one behind the last who had it comes first.
module ert_turn #(
    parameter COUNT = 4
) (
    input wire clk,
    input wire rst,
    input wire [COUNT-1:0] ask,
    output wire [COUNT-1:0] grant
);
    reg [COUNT-1:0] behind;  // ones for those behind the last who had it
    wire [COUNT-1:0] first = ask & behind;
    wire [COUNT-1:0] among = (first != {COUNT{1'b0}}) ? first : ask;
    assign grant = among & (~among + 1'b1);  // the lowest one
    always @(posedge clk) begin
        if (rst) behind <= {COUNT{1'b0}};
        else if (ask != {COUNT{1'b0}}) behind <= ~(grant | (grant - 1'b1));
    end
endmodule
