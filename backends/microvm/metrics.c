#include "backends/microvm/metrics.h"

uint64_t metrics_number(const json_t *o, const char *name)
{
    json_int_t n = json_integer_value(json_object_get(o, name));
    return n > 0 ? (uint64_t)n : 0;
}

void metrics_add(uint64_t *sum, uint64_t more)
{
    uint64_t now = *sum == UINT64_MAX ? 0 : *sum;
    *sum = more > (uint64_t)INT64_MAX - now ? (uint64_t)INT64_MAX : now + more;
}

void metrics_qemu(const json_t *disks, struct launch_sample *sum)
{
    const json_t *disk;
    size_t i;
    sum->guest_read = sum->guest_write = 0;
    json_array_foreach(disks, i, disk)
    {
        const json_t *stats = json_object_get(disk, "stats");
        metrics_add(&sum->guest_read, metrics_number(stats, "rd_bytes"));
        metrics_add(&sum->guest_write, metrics_number(stats, "wr_bytes"));
    }
}
