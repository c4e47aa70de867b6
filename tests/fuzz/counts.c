/* What a machine's program says it has counted, if it is not what it was: sums never get less. */
#include "backends/microvm/cloud_hypervisor_requests.h"
#include "backends/microvm/firecracker_requests.h"

#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void fuzz_sum(uint64_t n)
{
    if (n != UINT64_MAX && n > INT64_MAX)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct launch_sample s;
    autofree char *text = str_ndup((const char *)data, size);
    memset(&s, 0xff, sizeof(s));
    for (int i = 0; i < 3; i++) {
        uint64_t before = s.guest_read == UINT64_MAX ? 0 : s.guest_read;
        firecracker_metrics(text, &s);
        if (s.guest_read != UINT64_MAX && s.guest_read < before)
            abort();
    }
    fuzz_sum(s.guest_read);
    fuzz_sum(s.guest_out);
    cloud_hypervisor_counters(text, &s);
    fuzz_sum(s.guest_read);
    fuzz_sum(s.guest_in);
    if (s.memory != UINT64_MAX)
        abort();
    return 0;
}
