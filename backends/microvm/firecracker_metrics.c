#include "backends/microvm/firecracker_requests.h"

#include <jansson.h>

/* A member of an object of the line; what is no number counts as nothing. */
static uint64_t metrics_number(const json_t *o, const char *name)
{
    json_int_t n = json_integer_value(json_object_get(o, name));
    return n > 0 ? (uint64_t)n : 0;
}

static void metrics_add(uint64_t *sum, uint64_t more)
{
    uint64_t now = *sum == UINT64_MAX ? 0 : *sum;
    *sum = more > (uint64_t)INT64_MAX - now ? (uint64_t)INT64_MAX : now + more;
}

void firecracker_metrics(const char *line, struct launch_sample *sum)
{
    json_t *o = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    const json_t *block = json_object_get(o, "block"), *net = json_object_get(o, "net");
    if (json_is_object(block)) {
        metrics_add(&sum->guest_read, metrics_number(block, "read_bytes"));
        metrics_add(&sum->guest_write, metrics_number(block, "write_bytes"));
    }
    if (json_is_object(net)) {
        metrics_add(&sum->guest_in, metrics_number(net, "rx_bytes_count"));
        metrics_add(&sum->guest_out, metrics_number(net, "tx_bytes_count"));
    }
    json_decref(o);
}
