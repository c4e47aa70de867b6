/* Whether a guest runs on KVM here: status 0, or 1 with the reason. */
#include "backends/kvm_probe.h"

#include <stdio.h>

int main(void)
{
    struct error e = {0};
    if (kvm_probe(&e) == 0)
        return 0;
    puts(e.text);
    return 1;
}
