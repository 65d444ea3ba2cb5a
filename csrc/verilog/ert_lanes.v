// The 8 lanes of a core: differences to the zero points, products, sums, a cycle each.
//
// What an item does with its lane's byte x, whose weight is w, in operations of the Mac command:
//   plain (DOT, LANE)  += (x - x_zero) * (w - w_zero)
//   pair (MUL)         the second of a pair: = (the first's x - x_zero) * (x - w_zero)
//   fixed (SUM, TABLE) += (x - x_zero) * 1;  with `second` (ADD), items behind the first: * -256
//   top (MAX)          = max(x), its multiplier 1
// so that all of them need one multiplier a lane, and sums come in one place. LATENCY: from an item to its sum.
module ert_lanes (
    input wire clk,
    input wire rst,
    input wire valid,
    input wire first,
    input wire last,
    input wire [63:0] x,
    input wire [63:0] w,
    input wire [7:0] x_zero,
    input wire [7:0] w_zero,
    input wire pair,
    input wire fixed,
    input wire second,
    input wire top,
    output wire [255:0] sums
);
    reg valid2, first2, top2, valid3, first3, top3;
    always @(posedge clk) begin
        valid2 <= (pair ? valid & last : valid) & ~rst;
        first2 <= first | pair;
        top2 <= top;
        valid3 <= valid2 & ~rst;
        first3 <= first2;
        top3 <= top2;
    end

    genvar l;
    generate
        for (l = 0; l < 8; l = l + 1) begin : lane
            wire [7:0] x_in = x[8*l +: 8];
            wire [7:0] w_in = pair ? x_in : w[8*l +: 8];
            reg [7:0] before;
            wire [7:0] a_in = pair ? before : x_in;
            reg signed [8:0] a, b;
            reg signed [17:0] product;
            reg signed [31:0] sum;
            wire above = $signed(product[8:0]) > $signed(sum[8:0]);
            always @(posedge clk) begin
                if (valid) before <= x_in;
                a <= {a_in[7], a_in} - {x_zero[7], x_zero};
                if (fixed) b <= (second & ~first) ? -9'sd256 : 9'sd1;
                else b <= {w_in[7], w_in} - {w_zero[7], w_zero};
                product <= a * b;
                if (valid3 & (~top3 | first3 | above))
                    sum <= ((first3 | top3) ? 32'sd0 : sum) + {{14{product[17]}}, product};
            end
            assign sums[32*l +: 32] = sum;
        end
    endgenerate
endmodule
