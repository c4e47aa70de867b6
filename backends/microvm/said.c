#include "backends/microvm/said.h"

/* More than any kernel can count to: tasks by its limit of pids, a load by that many tasks. */
enum { SAID_TASKS_MAX = 4194304 };

static uint64_t said_bounded(uint64_t n, uint64_t most)
{
    return n == UINT64_MAX ? n : MIN(n, most);
}

void said_take(const struct agent_sample *said, const struct plan *p, struct launch_sample *ret)
{
    uint64_t scratch = p->limits.disk ? p->limits.disk : p->machine.memory;
    ret->says_memory = said_bounded(said->memory, p->machine.memory);
    ret->says_available = said_bounded(said->memory_available, ret->says_memory);
    for (size_t i = 0; i < ARRAY_SIZE(ret->says_load); i++)
        ret->says_load[i] = said_bounded(said->load[i], SAID_TASKS_MAX * 1000ull);
    ret->says_tasks = said_bounded(said->tasks, SAID_TASKS_MAX);
    ret->says_oom_kills = said_bounded(said->oom_kills, INT64_MAX);
    ret->says_scratch = said_bounded(said->scratch, scratch);
    ret->says_scratch_free = said_bounded(said->scratch_free, ret->says_scratch);
    if (ret->says_memory == UINT64_MAX) /* of nothing known there is no part */
        ret->says_available = UINT64_MAX;
    if (ret->says_scratch == UINT64_MAX)
        ret->says_scratch_free = UINT64_MAX;
}

void said_forget(struct launch_sample *ret)
{
    ret->says_memory = ret->says_available = UINT64_MAX;
    for (size_t i = 0; i < ARRAY_SIZE(ret->says_load); i++)
        ret->says_load[i] = UINT64_MAX;
    ret->says_tasks = ret->says_oom_kills = UINT64_MAX;
    ret->says_scratch = ret->says_scratch_free = UINT64_MAX;
}
