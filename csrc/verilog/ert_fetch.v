// The command list of an agent, or of one section of a core: from a ROM, the next command is put together while
// the current one runs, and is `ready` when all agents have completed as many commands as it needs.
//
// The ROM (FILE, of codegen/hls/design.py) has words of 36 bits, the lowest of a command first. With AGENTS, the
// counts that it needs lie above its BITS, 12 bits each. `command` is stable from two cycles before ready until
// take.
module ert_fetch #(
    parameter FILE = "commands.hex",
    parameter BITS = 72,
    parameter DEPTH = 64,  // words of the ROM
    parameter AGENTS = 0,
    parameter COUNTS = AGENTS > 0 ? 12 * AGENTS : 1
) (
    input wire clk,
    input wire rst,
    input wire start,  // from the first command
    input wire [11:0] count,  // of commands
    input wire [COUNTS-1:0] completed,
    output wire ready,
    input wire take,
    output wire [BITS-1:0] command
);
    localparam WORDS = (BITS + 12 * AGENTS + 35) / 36;
    localparam AT = DEPTH > 1 ? $clog2(DEPTH) : 1;
    localparam LAST = WORDS - 1;
    localparam LEFT = $clog2(WORDS + 1);

    (* rom_style = "block" *) reg [35:0] rom [0:DEPTH-1];
    initial $readmemh(FILE, rom);

    reg [AT-1:0] at;
    reg [11:0] left;  // commands that are not asked for
    reg asking;  // the ROM is read at `at`
    reg [LEFT-1:0] asked;
    reg [35:0] found, word;
    reg found_valid, word_valid, found_last, word_last;
    always @(posedge clk) begin
        found <= rom[at];
        word <= found;
    end

    reg [36*WORDS-1:0] shadow;
    reg full, settling, settled;
    always @(posedge clk) if (word_valid) shadow <= {word, shadow[36*WORDS-1:36]};
    assign command = shadow[BITS-1:0];

    wire none = left == 12'd0;
    wire begin_next = start | take;
    always @(posedge clk) begin
        if (rst) begin
            at <= 0;
            left <= 12'd0;
            asked <= 0;
            {asking, found_valid, word_valid, found_last, word_last, full, settling, settled} <= 8'd0;
        end else begin
            if (start) begin
                at <= 0;
                left <= count;
            end else if (asking) begin
                at <= at + 1'b1;
                if (asked == LAST[LEFT-1:0]) left <= left - 12'd1;
            end
            if (start ? count != 12'd0 : take & ~none) begin
                asking <= 1'b1;
                asked <= 0;
            end else if (asking) begin
                asking <= asked != LAST[LEFT-1:0];
                asked <= asked + 1'b1;
            end
            found_valid <= asking;
            found_last <= asking & (asked == LAST[LEFT-1:0]);
            word_valid <= found_valid;
            word_last <= found_last;
            full <= word_last | (full & ~begin_next);
            settling <= full & ~begin_next;
            settled <= settling & ~begin_next;
        end
    end

    // Two cycles for the comparisons: counts only grow, so what was enough stays enough.
    generate
        if (AGENTS == 0) begin : free
            wire unused = &{1'b0, completed};
            assign ready = settled;
        end else begin : waits
            reg [AGENTS-1:0] enough;
            reg all;
            integer i;
            always @(posedge clk) begin
                for (i = 0; i < AGENTS; i = i + 1)
                    enough[i] <= completed[12*i +: 12] >= shadow[BITS + 12*i +: 12];
                all <= settling & (&enough);
            end
            assign ready = settled & all;
        end
    endgenerate
endmodule
