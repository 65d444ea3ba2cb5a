// clamp(y_zero + requantized acc, y_min, y_max): docs/numerics.md, section 2, rounding twice or once.
//
// One result a cycle, LATENCY = 10 cycles after its operands; nothing waits. acc: the bias is in it.
// shift: -31 to 31 to round twice, -32 to 31 to round once; multiplier 0 gives y_zero.
//
// With P = acc * multiplier, exact in 64 bits, all three cases are one arithmetic shift to the right, its
// rounding decided by the bits shifted out:
//   twice, shift <= 0:  V = (P + 2^30) >> 31, then by -shift, halves away from zero
//   twice, shift > 0:   V = P, then by 31 - shift, halves up  (a shift to the left before is exact)
//   once:               V = P, then by 31 - shift, halves away from zero
// The shifter takes the large steps first and drops, after each, the high bits that the steps left over cannot
// bring into the result; where such a bit was not a copy of the sign, the result is beyond int8 whatever y_zero
// is (`over`). So it is some 130 multiplexers instead of 6 * 64.
module ert_requantize (
    input wire clk,
    input wire rst,
    input wire in_valid,
    input wire signed [31:0] acc,
    input wire [30:0] multiplier,
    input wire signed [7:0] shift,
    input wire once,
    input wire signed [7:0] y_zero,
    input wire signed [7:0] y_min,
    input wire signed [7:0] y_max,
    output wire out_valid,
    output reg [7:0] y
);
    localparam LATENCY = 10;
    localparam USED = 8;  // zero point and clamp travel so many stages beside the shifter
    genvar i;

    reg [LATENCY-1:0] valid;
    assign out_valid = valid[LATENCY-1];
    always @(posedge clk) valid <= rst ? {LATENCY{1'b0}} : {valid[LATENCY-2:0], in_valid};

    reg [23:0] bounds [0:USED-1];  // y_zero, y_min, y_max
    always @(posedge clk) bounds[0] <= {y_zero, y_min, y_max};
    generate
        for (i = 1; i < USED; i = i + 1) begin : travel
            always @(posedge clk) bounds[i] <= bounds[i-1];
        end
    endgenerate

    // 0 to 3: the product, and how far to shift it
    wire both = ~once & (shift[7] | shift == 8'd0);  // rounded at bit 31, and again
    wire signed [63:0] product;
    ert_multiply multiplies (
        .clk(clk), .enable(1'b1), .a(acc), .b({1'b0, multiplier}), .half(both), .product(product)
    );

    reg signed [7:0] shift0;
    reg signed [8:0] by1;
    reg [5:0] by2, by3;
    reg away0, away1, away2, away3, twice0, twice1, twice2, twice3;
    always @(posedge clk) begin
        shift0 <= shift;
        by1 <= (twice0 ? 9'sd0 : 9'sd31) - {shift0[7], shift0};
        by2 <= by1[8] ? 6'd0 : (by1[7:6] != 2'd0) ? 6'd63 : by1[5:0];
        by3 <= by2;
        {twice3, twice2, twice1, twice0} <= {twice2, twice1, twice0, both};
        {away3, away2, away1, away0} <= {away2, away1, away0, once | both};
    end

    // 4: by 31 and rounded (what is left of it is exact), by 32, or by nothing. half, below: the first bit
    // shifted out, and whether any behind it was set.
    reg signed [63:0] v4;
    reg half4, below4, away4;
    reg [4:0] by4;
    always @(posedge clk) begin
        v4 <= ({64{twice3 & ~by3[5]}} & {{31{product[63]}}, product[63:31]})
            | ({64{~twice3 & by3[5]}} & {{32{product[63]}}, product[63:32]})
            | ({64{~twice3 & ~by3[5]}} & product);
        half4 <= ~twice3 & by3[5] & product[31];
        below4 <= ~twice3 & by3[5] & (product[30:0] != 31'd0);
        away4 <= away3;
        by4 <= by3[4:0];
    end

    // 5: by 16. A signed number of 41 bits can, by the 31 that are left, come down to 10 bits.
    reg signed [24:0] v5;
    reg half5, below5, away5, over5, sign5;
    reg [3:0] by5;
    wire over4 = ~((v4[63:40] == 24'd0) | (v4[63:40] == 24'hffffff));
    wire over4b = ~((v4[40:24] == 17'd0) | (v4[40:24] == 17'h1ffff));
    always @(posedge clk) begin
        v5 <= by4[4] ? v4[40:16] : v4[24:0];
        half5 <= by4[4] ? v4[15] : half4;
        below5 <= below4 | (by4[4] & (half4 | (v4[14:0] != 15'd0)));
        over5 <= over4 | (~by4[4] & over4b);
        sign5 <= v4[63];
        away5 <= away4;
        by5 <= by4[3:0];
    end

    // 6: by 8, by 4
    wire signed [16:0] v5b = by5[3] ? v5[24:8] : v5[16:0];
    wire half5b = by5[3] ? v5[7] : half5;
    wire below5b = below5 | (by5[3] & (half5 | (v5[6:0] != 7'd0)));
    wire over5b = ~by5[3] & ~((v5[24:16] == 9'd0) | (v5[24:16] == 9'h1ff));
    wire over5c = ~by5[2] & ~((v5b[16:12] == 5'd0) | (v5b[16:12] == 5'h1f));
    reg signed [12:0] v6;
    reg half6, below6, away6, over6, sign6;
    reg [1:0] by6;
    always @(posedge clk) begin
        v6 <= by5[2] ? v5b[16:4] : v5b[12:0];
        half6 <= by5[2] ? v5b[3] : half5b;
        below6 <= below5b | (by5[2] & (half5b | (v5b[2:0] != 3'd0)));
        over6 <= over5 | over5b | over5c;
        sign6 <= sign5;
        away6 <= away5;
        by6 <= by5[1:0];
    end

    // 7: by 2, by 1, and whether to round up
    wire signed [10:0] v6b = by6[1] ? v6[12:2] : v6[10:0];
    wire half6b = by6[1] ? v6[1] : half6;
    wire below6b = below6 | (by6[1] & (half6 | v6[0]));
    wire over6b = ~by6[1] & ~((v6[12:10] == 3'd0) | (v6[12:10] == 3'd7));
    wire half6c = by6[0] ? v6b[0] : half6b;
    wire below6c = below6b | (by6[0] & half6b);
    reg signed [9:0] v7;
    reg up7, over7, sign7;
    always @(posedge clk) begin
        v7 <= by6[0] ? v6b[10:1] : v6b[9:0];
        up7 <= half6c & (below6c | ~sign6 | ~away6);
        over7 <= over6 | over6b | (~by6[0] & (v6b[10] != v6b[9]));
        sign7 <= sign6;
    end

    // 8: rounded, with the zero point
    reg signed [10:0] v8;
    reg signed [7:0] min8, max8;
    reg over8, sign8;
    always @(posedge clk) begin
        v8 <= {v7[9], v7} + {{3{bounds[USED-1][23]}}, bounds[USED-1][23:16]} + {10'd0, up7};
        min8 <= bounds[USED-1][15:8];
        max8 <= bounds[USED-1][7:0];
        over8 <= over7;
        sign8 <= sign7;
    end

    // 9: clamped
    wire low = over8 ? sign8 : v8 < $signed({{3{min8[7]}}, min8});
    wire high = over8 ? ~sign8 : v8 > $signed({{3{max8[7]}}, max8});
    always @(posedge clk) y <= low ? min8 : high ? max8 : v8[7:0];
endmodule
