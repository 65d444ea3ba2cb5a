// product = a * b, or a * b + 2^30 where half: a rounded high multiply is product >> 31. LATENCY = 4 cycles, one
// product a cycle while `enable`.
//
// Four products of signed 17-bit halves, each with registers before and behind it, which a DSP block can take
// as its own. The outer two do not overlap and take the half; the middle two are added beside that.
module ert_multiply (
    input wire clk,
    input wire enable,
    input wire signed [31:0] a,
    input wire signed [31:0] b,
    input wire half,
    output reg signed [63:0] product
);
    reg signed [16:0] a_high, a_low, b_high, b_low;
    reg signed [31:0] high, low;
    reg signed [32:0] middle_a, middle_b, middle;
    reg signed [63:0] outer;
    reg half0, half1;
    wire [33:0] upper = {high, low[31:30]} + {33'd0, half1};

    always @(posedge clk) begin
        if (enable) begin
            a_high <= {a[31], a[31:16]};
            a_low <= {1'b0, a[15:0]};
            b_high <= {b[31], b[31:16]};
            b_low <= {1'b0, b[15:0]};
            half0 <= half;

            high <= a_high * b_high;
            middle_a <= a_high * b_low;
            middle_b <= a_low * b_high;
            low <= a_low * b_low;
            half1 <= half0;

            middle <= middle_a + middle_b;
            outer <= {upper, low[29:0]};

            product <= {outer[63:16] + {{15{middle[32]}}, middle}, outer[15:0]};
        end
    end
endmodule
