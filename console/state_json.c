#include "console/state_json.h"

#include "base/str.h"

static const char *const phase_names[] = {
    [STATE_STARTING] = "starting", [STATE_RUNNING] = "running",       [STATE_PAUSED] = "paused",
    [STATE_STOPPING] = "stopping", [STATE_RESTARTING] = "restarting", [STATE_EXITED] = "exited",
    [STATE_LOST] = "lost",
};

const char *state_phase_name(enum state_phase p)
{
    return p < ARRAY_SIZE(phase_names) ? phase_names[p] : "unknown";
}

/* The record's members by their kind: one row serves writing, reading and freeing. */
// clang-format off
#define TEXT(name)    {#name, offsetof(struct state_record, name), MEMBER_TEXT}
#define TIME(name)    {#name, offsetof(struct state_record, name), MEMBER_TIME}
#define PID(name)     {#name, offsetof(struct state_record, name), MEMBER_PID}
#define FLAG(name)    {#name, offsetof(struct state_record, name), MEMBER_FLAG}
#define NUMBER(name)  {#name, offsetof(struct state_record, name), MEMBER_NUMBER}
static const struct member {
    const char *name;
    size_t at;
    enum { MEMBER_TEXT, MEMBER_TIME, MEMBER_PID, MEMBER_FLAG, MEMBER_NUMBER } kind;
} members[] = {
    TEXT(id), TEXT(name), TEXT(profile), TEXT(boundary), TEXT(runtime), TEXT(image), TEXT(command),
    TEXT(snapshot), TEXT(accel),
    TIME(created_ms), TIME(started_ms), TIME(ended_ms), PID(monitor_pid), PID(pid),
    FLAG(terminal), FLAG(kept), NUMBER(status), TEXT(reason), NUMBER(restarts), NUMBER(viewers),
};
// clang-format on
_Static_assert(sizeof(pid_t) == sizeof(int) && sizeof(unsigned) == sizeof(int), "NUMBER is an int");

void state_record_done(struct state_record *r)
{
    for (size_t i = 0; i < ARRAY_SIZE(members); i++)
        if (members[i].kind == MEMBER_TEXT)
            free(*(char **)((char *)r + members[i].at));
    strv_free(r->labels);
    strv_free(r->phases);
    strv_free(r->limits);
    strv_free(r->events);
    *r = (struct state_record){0};
}

char *state_boundary_text(const struct state_record *r)
{
    if (str_equal(r->accel, "tcg"))
        return str_format("%s (emulated!)", r->boundary);
    return str_dup_or_null(r->boundary);
}

static json_t *text_json(const char *s)
{
    json_t *j = json_string(s);
    if (j)
        return j;
    autofree char *safe = str_escape_z(s);
    return json_string(safe);
}

static json_t *texts_json(char *const *texts)
{
    json_t *array = json_array();
    for (size_t i = 0; texts && texts[i]; i++)
        json_array_append_new(array, text_json(texts[i]));
    return array;
}

json_t *state_record_to_json(const struct state_record *r)
{
    json_t *o = json_object();
    json_object_set_new(o, "version", json_integer(1));
    json_object_set_new(o, "phase", json_string(state_phase_name(r->phase)));
    for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
        const char *at = (const char *)r + members[i].at;
        json_t *j = NULL;
        switch (members[i].kind) {
        case MEMBER_TEXT:
            j = *(char *const *)at ? text_json(*(char *const *)at) : NULL;
            break;
        case MEMBER_TIME:
            j = *(const int64_t *)at ? json_integer(*(const int64_t *)at) : NULL;
            break;
        case MEMBER_PID:
            j = *(const int *)at ? json_integer(*(const int *)at) : NULL;
            break;
        case MEMBER_FLAG:
            j = json_boolean(*(const bool *)at);
            break;
        case MEMBER_NUMBER:
            j = json_integer(*(const int *)at);
            break;
        }
        if (j)
            json_object_set_new(o, members[i].name, j);
    }
    json_object_set_new(o, "labels", texts_json(r->labels));
    if (r->phases)
        json_object_set_new(o, "phases", texts_json(r->phases));
    if (r->limits)
        json_object_set_new(o, "limits", texts_json(r->limits));
    if (r->events)
        json_object_set_new(o, "events", texts_json(r->events));
    return o;
}

static void texts_from_json(const json_t *array, char ***ret)
{
    for (size_t i = 0; i < json_array_size(array); i++)
        if (json_string_value(json_array_get(array, i)))
            strv_add(ret, json_string_value(json_array_get(array, i)));
}

int state_record_from_json(const json_t *j, struct state_record *ret)
{
    const char *phase = json_string_value(json_object_get(j, "phase"));
    const char *id = json_string_value(json_object_get(j, "id"));
    if (!phase || !id || json_integer_value(json_object_get(j, "version")) != 1)
        return -EINVAL;
    struct state_record r = {.phase = STATE_LOST};
    for (size_t i = 0; i < ARRAY_SIZE(phase_names); i++)
        if (str_equal(phase, phase_names[i]))
            r.phase = (enum state_phase)i;
    for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
        char *at = (char *)&r + members[i].at;
        const json_t *v = json_object_get(j, members[i].name);
        switch (members[i].kind) {
        case MEMBER_TEXT:
            *(char **)at = str_dup_or_null(json_string_value(v));
            break;
        case MEMBER_TIME:
            *(int64_t *)at = json_integer_value(v);
            break;
        case MEMBER_PID:
        case MEMBER_NUMBER:
            *(int *)at = (int)json_integer_value(v);
            break;
        case MEMBER_FLAG:
            *(bool *)at = json_is_true(v);
            break;
        }
    }
    texts_from_json(json_object_get(j, "labels"), &r.labels);
    texts_from_json(json_object_get(j, "phases"), &r.phases);
    texts_from_json(json_object_get(j, "limits"), &r.limits);
    texts_from_json(json_object_get(j, "events"), &r.events);
    *ret = r;
    return 0;
}

int state_record_parse(const char *text, size_t size, struct state_record *ret)
{
    json_t *j = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    int r = j ? state_record_from_json(j, ret) : -EINVAL;
    json_decref(j);
    return r;
}

char *state_plan_text(const struct dirs *d, const char *id, const char *member)
{
    autofree char *text = NULL;
    size_t size;
    struct error e;
    if (state_read_plan(d, id, &text, &size, &e) < 0)
        return NULL;
    json_t *j = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    char *found = str_dup_or_null(json_string_value(json_object_get(j, member)));
    json_decref(j);
    return found;
}

// clang-format off
static const struct {
    const char *name;
    size_t at;
} samples[] = {
    {"cpu_us", offsetof(struct launch_sample, cpu_us)},
    {"memory", offsetof(struct launch_sample, memory)},
    {"memory_peak", offsetof(struct launch_sample, memory_peak)},
    {"pids", offsetof(struct launch_sample, pids)},
    {"io_read", offsetof(struct launch_sample, io_read)},
    {"io_write", offsetof(struct launch_sample, io_write)},
    {"oom_kills", offsetof(struct launch_sample, oom_kills)},
    {"pressure_memory_us", offsetof(struct launch_sample, pressure_memory_us)},
    {"pressure_cpu_us", offsetof(struct launch_sample, pressure_cpu_us)},
    {"pressure_io_us", offsetof(struct launch_sample, pressure_io_us)},
    {"network_in", offsetof(struct launch_sample, network_in)},
    {"network_out", offsetof(struct launch_sample, network_out)},
    {"guest_read", offsetof(struct launch_sample, guest_read)},
    {"guest_write", offsetof(struct launch_sample, guest_write)},
    {"guest_in", offsetof(struct launch_sample, guest_in)},
    {"guest_out", offsetof(struct launch_sample, guest_out)},
    {"guest_says_memory", offsetof(struct launch_sample, says_memory)},
    {"guest_says_available", offsetof(struct launch_sample, says_available)},
    {"guest_says_load1_milli", offsetof(struct launch_sample, says_load[0])},
    {"guest_says_load5_milli", offsetof(struct launch_sample, says_load[1])},
    {"guest_says_load15_milli", offsetof(struct launch_sample, says_load[2])},
    {"guest_says_tasks", offsetof(struct launch_sample, says_tasks)},
    {"guest_says_oom_kills", offsetof(struct launch_sample, says_oom_kills)},
    {"guest_says_scratch", offsetof(struct launch_sample, says_scratch)},
    {"guest_says_scratch_free", offsetof(struct launch_sample, says_scratch_free)},
};
// clang-format on
_Static_assert(sizeof(struct launch_sample) == 25 * sizeof(uint64_t), "a row for each member");

json_t *state_sample_to_json(const struct launch_sample *s)
{
    json_t *o = json_object();
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        uint64_t v = *(const uint64_t *)((const char *)s + samples[i].at);
        if (v != UINT64_MAX)
            json_object_set_new(o, samples[i].name, json_integer((json_int_t)v));
    }
    return o;
}

static const char *const snapshot_names[] = {"files", "memory"};

json_t *state_snapshots_to_json(unsigned kinds, const uint64_t cost[2])
{
    json_t *o = json_object();
    for (size_t i = 0; i < ARRAY_SIZE(snapshot_names); i++)
        if (kinds & 1u << i)
            json_object_set_new(o, snapshot_names[i],
                                cost[i] == UINT64_MAX ? json_null()
                                                      : json_integer((json_int_t)cost[i]));
    return o;
}

unsigned state_snapshots_from_json(const json_t *j, uint64_t ret_cost[2])
{
    unsigned kinds = 0;
    for (size_t i = 0; i < ARRAY_SIZE(snapshot_names); i++) {
        const json_t *v = json_object_get(j, snapshot_names[i]);
        kinds |= v ? 1u << i : 0;
        ret_cost[i] = json_is_integer(v) ? (uint64_t)json_integer_value(v) : UINT64_MAX;
    }
    return kinds;
}

void state_sample_from_json(const json_t *j, struct launch_sample *ret)
{
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        const json_t *v = json_object_get(j, samples[i].name);
        *(uint64_t *)((char *)ret + samples[i].at) =
            json_is_integer(v) ? (uint64_t)json_integer_value(v) : UINT64_MAX;
    }
}
