// The circuit: loader, storer, cores, binary cores, perhaps a softmax unit, and the scratchpad between them
// (docs/fpga.md). Agents are numbered in that order.
//
// `start`, one cycle: every agent begins with its first command of counts[agent]; `done` rises when the last is
// complete, and the circuit can be started again. ext_*: the external memory, in words of 64 bits; see ert_load
// and ert_store. begun, finished: one cycle for each command of an agent; working: a core's lanes multiply.
// Command ROMs are files of the names that codegen/hls/design.py gives them; *_DEPTH(S): their words, 16 bits
// a core, core 0 lowest.
`include "ert_isa.vh"
module ert_circuit #(
    parameter CORES = 1,
    parameter BINARY_CORES = 0,
    parameter SOFTMAX = 0,
    parameter SCRATCH_WORDS = 1024,
    parameter WEIGHT_WORDS = 1024,
    parameter PARAM_ENTRIES = 512,
    parameter BANKS = 1,
    parameter FIFO = 16,
    parameter OUT_FIFO = 8,
    parameter LOAD_DEPTH = 512,
    parameter STORE_DEPTH = 512,
    parameter SOFTMAX_DEPTH = 512,
    parameter [16*(CORES+BINARY_CORES)-1:0] READ_DEPTHS = {CORES + BINARY_CORES{16'd512}},
    parameter [16*(CORES+BINARY_CORES)-1:0] MAC_DEPTHS = {CORES + BINARY_CORES{16'd512}},
    parameter [16*(CORES+BINARY_CORES)-1:0] OUT_DEPTHS = {CORES + BINARY_CORES{16'd512}},
    parameter ALL_CORES = CORES + BINARY_CORES,
    parameter AGENTS = 2 + ALL_CORES + SOFTMAX
) (
    input wire clk,
    input wire rst,
    input wire start,
    input wire [12*AGENTS-1:0] counts,
    output reg done,
    input wire [2*ALL_CORES+2+2*SOFTMAX:0] hold,  // 0, but in tests: see ert_scratch
    output wire ext_rd_valid,
    input wire ext_rd_ready,
    output wire [23:0] ext_rd_addr,
    output wire [15:0] ext_rd_more,
    input wire ext_rd_data_valid,
    output wire ext_rd_data_ready,
    input wire [63:0] ext_rd_data,
    output wire ext_wr_valid,
    input wire ext_wr_ready,
    output wire [23:0] ext_wr_addr,
    output wire [19:0] ext_wr_more,
    output wire ext_wr_data_valid,
    input wire ext_wr_data_ready,
    output wire [63:0] ext_wr_data,
    output wire [AGENTS-1:0] begun,
    output reg [AGENTS-1:0] finished,
    output wire [ALL_CORES-1:0] working
);
    localparam READERS = ALL_CORES + 2 + SOFTMAX;  // cores, loader, storer, softmax unit
    localparam WRITERS = ALL_CORES + 1 + SOFTMAX;  // cores, loader, softmax unit
    localparam RL = ALL_CORES;
    localparam RS = ALL_CORES + 1;
    genvar i;

    wire [READERS-1:0] rd_valid, rd_ready, rd_data_valid;
    wire [19*READERS-1:0] rd_addr;
    wire [64*READERS-1:0] rd_data;
    wire [WRITERS-1:0] wr_valid, wr_ready, wr_last, wr_done;
    wire [19*WRITERS-1:0] wr_addr;
    wire [64*WRITERS-1:0] wr_data;
    wire [8*WRITERS-1:0] wr_bytes;
    ert_scratch #(.READERS(READERS), .WRITERS(WRITERS), .BANKS(BANKS), .WORDS(SCRATCH_WORDS)) scratch (
        .clk(clk), .rst(rst), .hold(hold), .rd_valid(rd_valid), .rd_ready(rd_ready), .rd_addr(rd_addr),
        .rd_data_valid(rd_data_valid), .rd_data(rd_data), .wr_valid(wr_valid), .wr_ready(wr_ready),
        .wr_addr(wr_addr), .wr_data(wr_data), .wr_bytes(wr_bytes), .wr_last(wr_last), .wr_done(wr_done)
    );

    // How many commands each agent has completed.
    wire load_done, store_done;
    wire [AGENTS-1:0] done_now;
    assign done_now[1:0] = {store_done, load_done};
    assign done_now[2 +: ALL_CORES] = wr_done[0 +: ALL_CORES];
    reg [12*AGENTS-1:0] completed;
    reg [AGENTS-1:0] all_done;
    reg started;
    integer a;
    always @(posedge clk) begin
        finished <= done_now & {AGENTS{~rst}};
        started <= ~rst & (started | start);
        done <= ~rst & ~start & started & (&all_done);
        for (a = 0; a < AGENTS; a = a + 1) begin
            all_done[a] <= ~rst & ~start & (completed[12*a +: 12] == counts[12*a +: 12]);
            if (rst | start) completed[12*a +: 12] <= 12'd0;
            else if (done_now[a]) completed[12*a +: 12] <= completed[12*a +: 12] + 12'd1;
        end
    end

    wire load_ready, load_take;
    wire [`ERT_LD_BITS-1:0] load_cmd;
    // verilator lint_off UNUSEDSIGNAL
    wire [15:0] w_write, p_write;  // as many as a mask may have, whatever there are
    // verilator lint_on UNUSEDSIGNAL
    wire [18:0] w_at;
    wire [63:0] w_data;
    wire [11:0] p_at;
    wire [71:0] p_data;
    wire t_write;
    wire [6:0] t_at;
    ert_fetch #(.FILE("loader_ld.hex"), .BITS(`ERT_LD_BITS), .DEPTH(LOAD_DEPTH), .AGENTS(AGENTS)) fetch_load (
        .clk(clk), .rst(rst), .start(start), .count(counts[0 +: 12]), .completed(completed),
        .ready(load_ready), .take(load_take), .command(load_cmd)
    );
    ert_load load (
        .clk(clk), .rst(rst), .cmd_ready(load_ready), .cmd_take(load_take), .cmd(load_cmd), .done(load_done),
        .ext_rd_valid(ext_rd_valid), .ext_rd_ready(ext_rd_ready), .ext_rd_addr(ext_rd_addr),
        .ext_rd_more(ext_rd_more), .ext_data_valid(ext_rd_data_valid), .ext_data_ready(ext_rd_data_ready),
        .ext_data(ext_rd_data),
        .rd_valid(rd_valid[RL]), .rd_ready(rd_ready[RL]), .rd_addr(rd_addr[19*RL +: 19]),
        .rd_data_valid(rd_data_valid[RL]), .rd_data(rd_data[64*RL +: 64]),
        .wr_valid(wr_valid[RL]), .wr_ready(wr_ready[RL]), .wr_addr(wr_addr[19*RL +: 19]),
        .wr_data(wr_data[64*RL +: 64]), .wr_last(wr_last[RL]), .wr_done(wr_done[RL]),
        .w_write(w_write), .w_at(w_at), .w_data(w_data),
        .p_write(p_write), .p_at(p_at), .p_data(p_data), .t_write(t_write), .t_at(t_at)
    );
    assign wr_bytes[8*RL +: 8] = 8'hff;

    generate
        if (SOFTMAX > 0) begin : softmax
            localparam SR = ALL_CORES + 2;
            localparam SW = ALL_CORES + 1;
            localparam AGENT = 2 + ALL_CORES;
            wire ready, free, unit_done;
            wire [`ERT_SM_BITS-1:0] cmd;
            assign begun[AGENT] = ready & free;
            ert_fetch #(.FILE("softmax_sm.hex"), .BITS(`ERT_SM_BITS), .DEPTH(SOFTMAX_DEPTH), .AGENTS(AGENTS)) fetch (
                .clk(clk), .rst(rst), .start(start), .count(counts[12*AGENT +: 12]), .completed(completed),
                .ready(ready), .take(ready & free), .command(cmd)
            );
            ert_softmax unit (
                .clk(clk), .rst(rst), .command_valid(ready), .command_ready(free), .command(cmd),
                .done(unit_done),
                .rd_valid(rd_valid[SR]), .rd_ready(rd_ready[SR]), .rd_addr(rd_addr[19*SR +: 19]),
                .rsp_valid(rd_data_valid[SR]), .rsp_data(rd_data[64*SR +: 64]),
                .wr_valid(wr_valid[SW]), .wr_ready(wr_ready[SW]), .wr_addr(wr_addr[19*SW +: 19]),
                .wr_data(wr_data[64*SW +: 64]), .wr_bytes(wr_bytes[8*SW +: 8]),
                .table_valid(t_write), .table_addr(t_at), .table_data(w_data)
            );
            assign wr_last[SW] = 1'b1;

            // The unit is done when its port has taken the last word, the command when its bank has.
            reg [1:0] on_way;
            reg finishing;
            assign done_now[AGENT] = finishing & (on_way == 2'd0);
            always @(posedge clk) begin
                on_way <= rst ? 2'd0 : on_way + {1'b0, wr_valid[SW] & wr_ready[SW]} - {1'b0, wr_done[SW]};
                finishing <= ~rst & (unit_done | (finishing & ~done_now[AGENT]));
            end
        end else begin : no_softmax
            wire unused = &{1'b0, t_write, t_at, SOFTMAX_DEPTH[0]};
        end
    endgenerate

    wire store_ready, store_take;
    wire [`ERT_ST_BITS-1:0] store_cmd;
    ert_fetch #(.FILE("storer_st.hex"), .BITS(`ERT_ST_BITS), .DEPTH(STORE_DEPTH), .AGENTS(AGENTS)) fetch_store (
        .clk(clk), .rst(rst), .start(start), .count(counts[12 +: 12]), .completed(completed),
        .ready(store_ready), .take(store_take), .command(store_cmd)
    );
    ert_store store (
        .clk(clk), .rst(rst), .cmd_ready(store_ready), .cmd_take(store_take), .cmd(store_cmd), .done(store_done),
        .ext_wr_valid(ext_wr_valid), .ext_wr_ready(ext_wr_ready), .ext_wr_addr(ext_wr_addr),
        .ext_wr_more(ext_wr_more), .ext_data_valid(ext_wr_data_valid), .ext_data_ready(ext_wr_data_ready),
        .ext_data(ext_wr_data),
        .rd_valid(rd_valid[RS]), .rd_ready(rd_ready[RS]), .rd_addr(rd_addr[19*RS +: 19]),
        .rd_data_valid(rd_data_valid[RS]), .rd_data(rd_data[64*RS +: 64])
    );
    assign begun[1:0] = {store_take, load_take};

    generate
        for (i = 0; i < ALL_CORES; i = i + 1) begin : core
            localparam BINARY = i >= CORES;
            localparam NUMBER = BINARY ? i - CORES : i;
            localparam [31:0] NUMERALS = 48 + NUMBER % 10 + 256 * (48 + NUMBER / 10);
            // A name that is shorter has zeros before it, which are no part of it.
            localparam [63:0] NAME = BINARY ? (NUMBER > 9 ? {"binary", NUMERALS[15:0]} : {8'd0, "binary", NUMERALS[7:0]})
                : (NUMBER > 9 ? {16'd0, "core", NUMERALS[15:0]} : {24'd0, "core", NUMERALS[7:0]});
            wire read_ready, read_take, mac_ready, mac_take, out_ready, out_take;
            wire [`ERT_RD_BITS-1:0] read_cmd;
            wire [`ERT_MAC_BITS-1:0] mac_cmd;
            wire [`ERT_OUT_BITS-1:0] out_cmd;
            wire [11:0] count = counts[12*(2+i) +: 12];
            ert_fetch #(
                .FILE({NAME, "_rd.hex"}), .BITS(`ERT_RD_BITS), .DEPTH(READ_DEPTHS[16*i +: 16]), .AGENTS(AGENTS)
            ) fetch_read (
                .clk(clk), .rst(rst), .start(start), .count(count), .completed(completed),
                .ready(read_ready), .take(read_take), .command(read_cmd)
            );
            ert_fetch #(
                .FILE({NAME, "_mac.hex"}), .BITS(`ERT_MAC_BITS), .DEPTH(MAC_DEPTHS[16*i +: 16])
            ) fetch_mac (
                .clk(clk), .rst(rst), .start(start), .count(count), .completed(1'b0),
                .ready(mac_ready), .take(mac_take), .command(mac_cmd)
            );
            ert_fetch #(
                .FILE({NAME, "_out.hex"}), .BITS(`ERT_OUT_BITS), .DEPTH(OUT_DEPTHS[16*i +: 16])
            ) fetch_out (
                .clk(clk), .rst(rst), .start(start), .count(count), .completed(1'b0),
                .ready(out_ready), .take(out_take), .command(out_cmd)
            );
            assign begun[2+i] = read_take;

            ert_core #(
                .BINARY(i >= CORES ? 1 : 0), .WEIGHT_WORDS(WEIGHT_WORDS), .PARAM_ENTRIES(PARAM_ENTRIES), .FIFO(FIFO),
                .OUT_FIFO(OUT_FIFO)
            ) one (
                .clk(clk), .rst(rst), .working(working[i]),
                .read_ready(read_ready), .read_take(read_take), .read_cmd(read_cmd),
                .mac_ready(mac_ready), .mac_take(mac_take), .mac_cmd(mac_cmd),
                .out_ready(out_ready), .out_take(out_take), .out_cmd(out_cmd),
                .rd_valid(rd_valid[i]), .rd_ready(rd_ready[i]), .rd_addr(rd_addr[19*i +: 19]),
                .rd_data_valid(rd_data_valid[i]), .rd_data(rd_data[64*i +: 64]),
                .wr_valid(wr_valid[i]), .wr_ready(wr_ready[i]), .wr_addr(wr_addr[19*i +: 19]),
                .wr_data(wr_data[64*i +: 64]), .wr_bytes(wr_bytes[8*i +: 8]), .wr_last(wr_last[i]),
                .w_write(w_write[i]), .w_at(w_at), .w_data(w_data),
                .p_write(p_write[i]), .p_at(p_at), .p_data(p_data)
            );
        end
    endgenerate
endmodule
