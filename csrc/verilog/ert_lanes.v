// The 8 lanes of a core: differences to the zero points, products, sums, a cycle each. A multiplier has a register
// of its own before and behind, which can lie next to it: it is far from where differences and sums are made.
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
    // Of each register behind the item: 1 differences, 2 and 3 at the multiplier, 4 the product to be summed.
    reg [4:1] valids, firsts, tops;
    wire valid4 = valids[4], first4 = firsts[4], top4 = tops[4];
    always @(posedge clk) begin
        valids <= {valids[3:1], pair ? valid & last : valid} & {4{~rst}};
        firsts <= {firsts[3:1], first | pair};
        tops <= {tops[3:1], top};
    end

    genvar l;
    generate
        for (l = 0; l < 8; l = l + 1) begin : lane
            wire [7:0] x_in = x[8*l +: 8];
            wire [7:0] w_in = pair ? x_in : w[8*l +: 8];
            reg [7:0] before;
            wire [7:0] a_in = pair ? before : x_in;
            reg signed [8:0] a, b, a_near, b_near;
            reg signed [17:0] product_near, product;
            reg signed [31:0] sum;
            wire above = $signed(product[8:0]) > $signed(sum[8:0]);
            always @(posedge clk) begin
                if (valid) before <= x_in;
                a <= {a_in[7], a_in} - {x_zero[7], x_zero};
                if (fixed) b <= (second & ~first) ? -9'sd256 : 9'sd1;
                else b <= {w_in[7], w_in} - {w_zero[7], w_zero};
                a_near <= a;
                b_near <= b;
                product_near <= a_near * b_near;
                product <= product_near;
                if (valid4 & (~top4 | first4 | above))
                    sum <= ((first4 | top4) ? 32'sd0 : sum) + {{14{product[17]}}, product};
            end
            assign sums[32*l +: 32] = sum;
        end
    endgenerate
endmodule
