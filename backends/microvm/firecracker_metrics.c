#include "backends/microvm/firecracker_requests.h"
#include "backends/microvm/metrics.h"

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
