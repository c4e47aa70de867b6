#!/bin/bash
# The acceptance of a microVM on the real Cloud Hypervisor, with a Linux guest: where it and a usable KVM are here.
# shellcheck disable=SC2034 # both are read by the table of every runtime
ACCEPT_RUNTIMES=cloud-hypervisor TESTS=test_its_own_kernel

test_its_own_kernel() {
    need_machine_of cloud-hypervisor
    capture cofferdam run --boundary microvm --runtime cloud-hypervisor --image small --memory 192M --name its-own -- \
        sh -c 'uname -r; hostname; id -u'
    expect_status 0
    expect_out_has "-cloud-amd64"
    expect_out_has "its-own"
}

. "$(dirname "$0")/acceptance.sh"
