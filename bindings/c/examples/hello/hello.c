/* Three programs of somebody else's, each with 64 MiB and two seconds. */
#include <inttypes.h>
#include <stdio.h>
#include <stockade.h>

int main(void)
{
    const char *programs[] = {"print(sum(range(10)))", "x = bytearray(10**9)", "while True: pass"};
    const char *limits = "[limits]\nmemory = '64MiB'\nwall_time = '2s'\n";
    stockade_policy *policy = NULL;
    stockade_error *error = NULL;
    int32_t status = stockade_policy_from_toml(limits, &policy, &error);
    for (size_t i = 0; status == STOCKADE_OK && i < 3; i++) {
        const char *argv[] = {"python3", "-c", programs[i], NULL};
        stockade_report *report = NULL;
        status = stockade_run(NULL, policy, argv, NULL, &report, &error);
        if (stockade_report_verdict(report) == STOCKADE_VERDICT_EXITED)
            printf("exited %" PRId32 ": %s", stockade_report_code(report),
                   (const char *)stockade_report_output(report, STOCKADE_STDOUT, NULL));
        else if (stockade_report_verdict(report) == STOCKADE_VERDICT_LIMIT)
            printf("stopped by %s: %" PRIu64 " of %" PRIu64 "\n",
                   stockade_name(stockade_report_control(report)),
                   stockade_report_amount(report, STOCKADE_OBSERVED),
                   stockade_report_amount(report, STOCKADE_LIMIT));
        stockade_report_free(report);
    }
    if (status != STOCKADE_OK)
        fprintf(stderr, "hello: %s\n", stockade_error_message(error));
    stockade_error_free(error);
    stockade_policy_free(policy);
    return status != STOCKADE_OK;
}
