// One lane of ert_xnor: four registers after x and w their count of equal bits is added, where `add` says so.
module ert_xnor_lane (
    input wire clk,
    input wire start,
    input wire add,
    input wire [63:0] x,
    input wire [63:0] w,
    output reg [15:0] acc
);
    reg [1:0] two [0:31];
    reg [2:0] four [0:15];
    reg [4:0] sixteen [0:3];
    reg [6:0] all;

    genvar i;
    generate
        for (i = 0; i < 32; i = i + 1) begin : twos
            wire [1:0] e = ~(x[2*i +: 2] ^ w[2*i +: 2]);
            always @(posedge clk) two[i] <= {e[1] & e[0], e[1] ^ e[0]};
        end
        for (i = 0; i < 16; i = i + 1) begin : fours
            wire [3:0] p = {two[2*i+1], two[2*i]};  // an odd pair has no twos, so that nothing carries twice
            always @(posedge clk) four[i] <= {p[3] & p[1], p[3] ^ p[1] ^ (p[2] & p[0]), p[2] ^ p[0]};
        end
        for (i = 0; i < 4; i = i + 1) begin : sixteens
            always @(posedge clk)
                sixteen[i] <= ({2'd0, four[4*i]} + {2'd0, four[4*i+1]}) + ({2'd0, four[4*i+2]} + {2'd0, four[4*i+3]});
        end
    endgenerate

    always @(posedge clk) begin
        all <= ({2'd0, sixteen[0]} + {2'd0, sixteen[1]}) + ({2'd0, sixteen[2]} + {2'd0, sixteen[3]});
        if (add) acc <= (start ? 16'd0 : acc) + {9'd0, all};
    end
endmodule
