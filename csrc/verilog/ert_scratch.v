// The scratchpad: BANKS banks of 64-bit words, a word's bank is the lowest bits of its address.
//
// Each bank serves one read and one write a cycle; of several clients that want the same bank, ert_turn chooses.
//
// Read port of a client: an address goes in where rd_valid and rd_ready; its word comes back, in order, with
//   rd_data_valid, and has to be taken (a client asks for no more than it has room for). From an address that
//   meets no other client to its word: 6 cycles with one bank, 7 with more.
// Write port: address, data, which bytes, `last`, go in where wr_valid and wr_ready. wr_done is one cycle of 1
//   for each write with `last` that a bank has accepted: reads that are asked for from then on see all writes
//   of this client up to that one.
// hold: a client's bit lets it wait; for tests, 0 otherwise.
module ert_scratch #(
    parameter READERS = 3,
    parameter WRITERS = 2,
    parameter BANKS = 1,
    parameter WORDS = 1024  // of all banks together
) (
    input wire clk,
    input wire rst,
    input wire [READERS+WRITERS-1:0] hold,  // readers lowest
    input wire [READERS-1:0] rd_valid,
    output wire [READERS-1:0] rd_ready,
    input wire [19*READERS-1:0] rd_addr,
    output wire [READERS-1:0] rd_data_valid,
    output wire [64*READERS-1:0] rd_data,
    input wire [WRITERS-1:0] wr_valid,
    output wire [WRITERS-1:0] wr_ready,
    input wire [19*WRITERS-1:0] wr_addr,
    input wire [64*WRITERS-1:0] wr_data,
    input wire [8*WRITERS-1:0] wr_bytes,
    input wire [WRITERS-1:0] wr_last,
    output reg [WRITERS-1:0] wr_done
);
    localparam DEPTH = (WORDS + BANKS - 1) / BANKS;
    localparam BITS = DEPTH > 1 ? $clog2(DEPTH) : 1;
    localparam LOW = $clog2(BANKS);  // bits of an address that are the bank
    localparam WRITE = 1 + 8 + 64 + 19;
    genvar c, b;

    // The client's next read and write, as the banks see them.
    wire [READERS-1:0] r_valid, r_taken;
    wire [19*READERS-1:0] r_addr;
    wire [WRITERS-1:0] w_valid, w_taken, w_last;
    wire [WRITE*WRITERS-1:0] w_what;
    generate
        for (c = 0; c < READERS; c = c + 1) begin : reader
            ert_slot #(.WIDTH(19)) slot (
                .clk(clk), .rst(rst), .in_valid(rd_valid[c]), .in_ready(rd_ready[c]), .in_data(rd_addr[19*c +: 19]),
                .out_valid(r_valid[c]), .out_ready(r_taken[c]), .out_data(r_addr[19*c +: 19])
            );
        end
        for (c = 0; c < WRITERS; c = c + 1) begin : writer
            ert_slot #(.WIDTH(WRITE)) slot (
                .clk(clk), .rst(rst), .in_valid(wr_valid[c]), .in_ready(wr_ready[c]),
                .in_data({wr_last[c], wr_bytes[8*c +: 8], wr_data[64*c +: 64], wr_addr[19*c +: 19]}),
                .out_valid(w_valid[c]), .out_ready(w_taken[c]), .out_data(w_what[WRITE*c +: WRITE])
            );
            assign w_last[c] = w_what[WRITE*c + WRITE - 1];
        end
    endgenerate

    // What was granted, a cycle later: whose turn it is and the choice among many wide words are a cycle each.
    reg [19*READERS-1:0] r_now;
    reg [WRITE*WRITERS-1:0] w_now;
    always @(posedge clk) begin
        r_now <= r_addr;
        w_now <= w_what;
    end

    // Per bank: whose turn, a register, which word, a register, the memory.
    wire [READERS*BANKS-1:0] r_grants, r_back;
    wire [WRITERS*BANKS-1:0] w_grants;
    wire [64*BANKS-1:0] words;
    generate
        for (b = 0; b < BANKS; b = b + 1) begin : bank
            wire [READERS-1:0] r_ask, r_grant;
            wire [WRITERS-1:0] w_ask, w_grant;
            for (c = 0; c < READERS; c = c + 1) begin : asks
                if (LOW == 0) assign r_ask[c] = r_valid[c] & ~hold[c];
                else assign r_ask[c] = r_valid[c] & ~hold[c] & (r_addr[19*c +: (LOW > 0 ? LOW : 1)] == b);
            end
            for (c = 0; c < WRITERS; c = c + 1) begin : writes
                if (LOW == 0) assign w_ask[c] = w_valid[c] & ~hold[READERS+c];
                else assign w_ask[c] = w_valid[c] & ~hold[READERS+c] & (w_what[WRITE*c +: (LOW > 0 ? LOW : 1)] == b);
            end
            ert_turn #(.COUNT(READERS)) read_turn (.clk(clk), .rst(rst), .ask(r_ask), .grant(r_grant));
            ert_turn #(.COUNT(WRITERS)) write_turn (.clk(clk), .rst(rst), .ask(w_ask), .grant(w_grant));

            reg [BITS-1:0] read_at, write_at, read_next, write_next;
            reg [63:0] write_data, data_next;
            reg [7:0] write_bytes, bytes_next;
            reg write;
            reg [READERS-1:0] r_granted, back0, back1, back2;  // who gets what is read, beside the memory
            reg [WRITERS-1:0] w_granted;
            integer i;
            always @* begin
                read_next = {BITS{1'b0}};
                write_next = {BITS{1'b0}};
                data_next = 64'd0;
                bytes_next = 8'd0;
                for (i = 0; i < READERS; i = i + 1)
                    read_next = read_next | ({BITS{r_granted[i]}} & r_now[19*i + LOW +: BITS]);
                for (i = 0; i < WRITERS; i = i + 1) begin
                    write_next = write_next | ({BITS{w_granted[i]}} & w_now[WRITE*i + LOW +: BITS]);
                    data_next = data_next | ({64{w_granted[i]}} & w_now[WRITE*i + 19 +: 64]);
                    bytes_next = bytes_next | ({8{w_granted[i]}} & w_now[WRITE*i + 83 +: 8]);
                end
            end
            always @(posedge clk) begin
                read_at <= read_next;
                write_at <= write_next;
                write_data <= data_next;
                write_bytes <= bytes_next;
                r_granted <= rst ? {READERS{1'b0}} : r_grant;
                w_granted <= rst ? {WRITERS{1'b0}} : w_grant;
                write <= ~rst & (w_granted != {WRITERS{1'b0}});
                back0 <= rst ? {READERS{1'b0}} : r_granted;
                back1 <= rst ? {READERS{1'b0}} : back0;
                back2 <= rst ? {READERS{1'b0}} : back1;
            end
            ert_bank #(.DEPTH(DEPTH)) cells (
                .clk(clk), .write(write), .write_at(write_at), .write_data(write_data), .write_bytes(write_bytes),
                .read_at(read_at), .read_data(words[64*b +: 64])
            );
            assign r_grants[READERS*b +: READERS] = r_grant;
            assign w_grants[WRITERS*b +: WRITERS] = w_grant;
            assign r_back[READERS*b +: READERS] = back2;
        end
    endgenerate

    // A client's next request is for one bank, so at most one grants it.
    reg [READERS-1:0] r_any, back_any;
    reg [WRITERS-1:0] w_any;
    integer k;
    always @* begin
        r_any = {READERS{1'b0}};
        back_any = {READERS{1'b0}};
        w_any = {WRITERS{1'b0}};
        for (k = 0; k < BANKS; k = k + 1) begin
            r_any = r_any | r_grants[READERS*k +: READERS];
            back_any = back_any | r_back[READERS*k +: READERS];
            w_any = w_any | w_grants[WRITERS*k +: WRITERS];
        end
    end
    assign r_taken = r_any;
    assign w_taken = w_any;
    always @(posedge clk) wr_done <= rst ? {WRITERS{1'b0}} : w_any & w_last;

    generate
        if (BANKS == 1) begin : direct
            assign rd_data_valid = back_any;
            assign rd_data = {READERS{words}};
        end else begin : selected
            reg [READERS-1:0] valid;
            always @(posedge clk) valid <= rst ? {READERS{1'b0}} : back_any;
            assign rd_data_valid = valid;
            for (c = 0; c < READERS; c = c + 1) begin : client
                reg [63:0] found, next;
                integer j;
                always @* begin
                    next = 64'd0;
                    for (j = 0; j < BANKS; j = j + 1)
                        next = next | ({64{r_back[READERS*j + c]}} & words[64*j +: 64]);
                end
                always @(posedge clk) found <= next;
                assign rd_data[64*c +: 64] = found;
            end
        end
    endgenerate
endmodule
