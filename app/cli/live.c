#include "app/cli/live.h"

#include "base/loop.h"
#include "console/state_json.h"

#include <stdio.h>
#include <time.h>

enum { PATIENCE_MS = 1000 };

int64_t live_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void ask_state(struct task *t, void *data)
{
    client_ask_state(t->client);
}

/* The monitor's own word is newer than the file's; what it is called and when it began stays. */
static void take_state(struct task *t, struct live *l)
{
    struct state_record fresh;
    json_t *j = json_loads(t->state, 0, NULL);
    const json_t *sample = json_object_get(j, "sample");
    if (j && state_record_from_json(j, &fresh) == 0) {
        if (str_equal(fresh.id, t->record.id)) {
            state_record_done(&t->record);
            t->record = fresh;
        } else {
            state_record_done(&fresh);
        }
    }
    if (json_is_object(sample)) {
        state_sample_from_json(sample, &l->sample);
        l->sampled = true;
        l->at_us = loop_now_us();
    }
    json_decref(j);
}

void live_ask(const struct dirs *d, struct tasks *t, struct live **ret)
{
    struct live *list = mem_zero(t->count + 1, sizeof(*list));
    tasks_ask(d, t, ask_state, NULL, PATIENCE_MS);
    for (size_t i = 0; i < t->count; i++) {
        memset(&list[i].sample, 0xff, sizeof(list[i].sample));
        if (t->of[i].state)
            take_state(&t->of[i], &list[i]);
        list[i].record = &t->of[i].record;
    }
    *ret = list;
}

uint64_t live_cpu(const struct live *before, const struct live *now)
{
    if (!before->sampled || !now->sampled || now->at_us <= before->at_us ||
        before->sample.cpu_us == UINT64_MAX || now->sample.cpu_us < before->sample.cpu_us)
        return UINT64_MAX;
    return (now->sample.cpu_us - before->sample.cpu_us) * 10000 / (now->at_us - before->at_us);
}

uint64_t live_cpu_life(const struct live *l)
{
    /* making it counts: a machine's boot is most of the time a short one has used */
    int64_t age = live_now_ms() - l->record->created_ms;
    if (!l->sampled || l->sample.cpu_us == UINT64_MAX || !l->record->started_ms || age <= 0)
        return UINT64_MAX;
    return l->sample.cpu_us * 10 / (uint64_t)age;
}

char *live_text_percent(uint64_t hundredths)
{
    if (hundredths == UINT64_MAX)
        return str_dup("-");
    return str_format("%llu.%llu%%", (unsigned long long)hundredths / 100,
                      (unsigned long long)hundredths / 10 % 10);
}

char *live_text_size(uint64_t bytes)
{
    char text[32];
    return str_dup(bytes == UINT64_MAX ? "-" : str_from_size(bytes, text, sizeof(text)));
}

char *live_text_number(uint64_t n)
{
    return n == UINT64_MAX ? str_dup("-") : str_format("%llu", (unsigned long long)n);
}

char *live_text_age(const struct state_record *r)
{
    char text[32];
    int64_t since = r->started_ms ? r->started_ms : r->created_ms;
    int64_t until = state_phase_lives(r->phase) || !r->ended_ms ? live_now_ms() : r->ended_ms;
    if (!since || until < since)
        return str_dup("-");
    return str_dup(str_from_duration((uint64_t)(until - since), text, sizeof(text)));
}

json_t *live_record_json(const struct state_record *r)
{
    json_t *j = state_record_to_json(r);
    if (state_phase_lives(r->phase))
        json_object_del(j, "status");
    return j;
}
