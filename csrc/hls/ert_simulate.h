// C-simulated, not synthesised by us.
//
// The simulation: a clock, the tasks that move at its ticks, and when every command started and was complete.
#ifndef ERT_SIMULATE_H
#define ERT_SIMULATE_H

#include <array>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

namespace ert {

struct Clock {
    uint64_t now = 0;
    uint64_t moved = 0; // when a stream was last read or written, or a command began or ended
    uint64_t seed = 0;  // of what follows
    unsigned stall = 0; // of 256 cycles, in how many a stream does not give, or does not take
    bool draw_depths = false; // of streams, from 1 to what they have
    unsigned streams = 0;

    static uint64_t mix(uint64_t x)
    {
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
        x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
        return x ^ (x >> 31);
    }
};

inline Clock &clock()
{
    static Clock only;
    return only;
}

struct Span {
    uint64_t start, end;
};

struct Trace {
    std::vector<std::vector<Span>> spans; // [agent][command]
    std::vector<uint64_t> busy;           // [agent]: cycles in which it multiplied
    uint64_t cycles = 0;                  // until the last command was complete

    Span &at(int agent, int command)
    {
        const size_t a = static_cast<size_t>(agent), n = static_cast<size_t>(command);
        if (spans.size() <= a) {
            spans.resize(a + 1);
        }
        if (spans[a].size() <= n) {
            spans[a].resize(n + 1, Span{0, 0});
        }
        return spans[a][n];
    }
    void started(int agent, int command)
    {
        at(agent, command).start = clock().moved = clock().now;
    }
    void completed(int agent, int command)
    {
        at(agent, command).end = clock().moved = clock().now;
        cycles = clock().now;
    }
    void worked(int agent)
    {
        if (busy.size() <= static_cast<size_t>(agent)) {
            busy.resize(static_cast<size_t>(agent) + 1);
        }
        busy[static_cast<size_t>(agent)]++;
    }
};

inline Trace &trace()
{
    static Trace only;
    return only;
}

class Tasks {
    struct Any {
        virtual ~Any() {}
        virtual void step() = 0;
        virtual bool finished() const = 0;
    };
    template <class Unit, class... Streams> struct One final : Any {
        Unit unit;
        std::tuple<Streams &...> streams;
        explicit One(Streams &...s) : streams(s...) {}
        void step() override
        {
            std::apply([this](auto &...s) { unit.step(s...); }, streams);
        }
        bool finished() const override { return unit.finished(); }
    };

    std::vector<std::unique_ptr<Any>> tasks;
    std::vector<std::shared_ptr<void>> owned;

public:
    template <class T, class... Arguments> T &own(Arguments &&...arguments)
    {
        auto made = std::make_shared<T>(std::forward<Arguments>(arguments)...);
        owned.push_back(made);
        return *made;
    }
    template <class T, int N> T (&own_array())[N]
    {
        struct Array {
            T item[N];
        };
        return own<Array>().item;
    }

    template <class Unit, class... Streams> void add(Streams &...streams)
    {
        tasks.push_back(std::make_unique<One<Unit, Streams...>>(streams...));
    }

    // Until every task has finished; false if nothing moves for so many cycles: a deadlock.
    bool run(uint64_t idle_cycles)
    {
        for (bool busy = true; busy; clock().now++) {
            busy = false;
            for (auto &task : tasks) {
                if (!task->finished()) {
                    task->step();
                    busy = true;
                }
            }
            if (clock().now - clock().moved > idle_cycles) {
                return false;
            }
        }
        return true;
    }
};

} // namespace ert

#endif
