// 8 lanes that count equal bits: acc[l] += number of equal bits of x and w[l], over items first to last.
//
// One item a cycle, nothing waits. first: the sums start anew; last: they are out LATENCY = 5 cycles later, with
// out_valid (first and last may be the same item). 16 bits a lane: an accumulator never has more than 1023
// items of 64 bits, which is past what weights on the chip allow.
//
// 64 bits are counted in four steps with a register after each: in pairs, in fours, in sixteens, all of them.
// Every function of the first two has 4 inputs: one look-up table deep.
module ert_xnor (
    input wire clk,
    input wire rst,
    input wire in_valid,
    input wire first,
    input wire last,
    input wire [63:0] x,
    input wire [511:0] w,
    output wire out_valid,
    output wire [127:0] acc
);
    localparam LATENCY = 5;
    reg [LATENCY-1:0] ending;
    reg [LATENCY-2:0] valid, starting;
    assign out_valid = ending[LATENCY-1];

    always @(posedge clk) begin
        if (rst) begin
            ending <= {LATENCY{1'b0}};
            valid <= {(LATENCY-1){1'b0}};
        end else begin
            ending <= {ending[LATENCY-2:0], in_valid & last};
            valid <= {valid[LATENCY-3:0], in_valid};
        end
        starting <= {starting[LATENCY-3:0], first};
    end

    genvar lane;
    generate
        for (lane = 0; lane < 8; lane = lane + 1) begin : lanes
            ert_xnor_lane counts (
                .clk(clk),
                .start(starting[LATENCY-2]),
                .add(valid[LATENCY-2]),
                .x(x),
                .w(w[64*lane +: 64]),
                .acc(acc[16*lane +: 16])
            );
        end
    endgenerate
endmodule
