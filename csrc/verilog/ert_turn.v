// Whose turn it is: one of those who ask, in the same cycle; the one behind the last who had it comes first.
//
// The first of those behind the last and the first of all are found side by side: this is the way that a scratchpad's
// clock hangs on.
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
    wire some = first != {COUNT{1'b0}};
    reg [COUNT-1:0] after_first, after_any;  // ones for those behind the first one who asks
    integer i;
    always @* begin
        after_first[0] = 1'b0;
        after_any[0] = 1'b0;
        for (i = 1; i < COUNT; i = i + 1) begin
            after_first[i] = after_first[i-1] | first[i-1];
            after_any[i] = after_any[i-1] | ask[i-1];
        end
    end
    assign grant = some ? first & ~after_first : ask & ~after_any;
    always @(posedge clk) begin
        if (rst) behind <= {COUNT{1'b0}};
        else if (ask != {COUNT{1'b0}}) behind <= some ? after_first : after_any;
    end
endmodule
