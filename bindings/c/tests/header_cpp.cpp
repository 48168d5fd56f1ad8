// The header as C++17 sees it, with handles that free themselves.

#include "stockade.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>

namespace {

template <auto Free>
struct Freed {
    template <typename Handle>
    void operator()(Handle *handle) const {
        Free(handle);
    }
};

using Error = std::unique_ptr<stockade_error, Freed<stockade_error_free>>;
using Policy = std::unique_ptr<stockade_policy, Freed<stockade_policy_free>>;
using Sandbox = std::unique_ptr<stockade_sandbox, Freed<stockade_sandbox_free>>;
using Report = std::unique_ptr<stockade_report, Freed<stockade_report_free>>;

struct Failure : std::runtime_error {
    int32_t kind;
    Failure(int32_t status, const char *message) : std::runtime_error(message), kind(status) {}
};

// Calls a function with its arguments, a place for what it makes and one for its error.
template <typename Handle, typename Function, typename... Arguments>
Handle make(Function function, Arguments... arguments) {
    typename Handle::pointer made = nullptr;
    stockade_error *error = nullptr;
    int32_t status = function(arguments..., &made, &error);
    Error owned(error);
    if (status != STOCKADE_OK)
        throw Failure(status, stockade_error_message(error));
    return Handle(made);
}

// An enumeration has the size that its compiler likes; a number has 32 bits in every language.
static_assert(std::is_same_v<decltype(stockade_report_verdict(nullptr)), int32_t>);
static_assert(std::is_same_v<decltype(stockade_stream::kind), int32_t>);
static_assert(std::is_standard_layout_v<stockade_stdio> && std::is_trivial_v<stockade_stdio>);
static_assert(sizeof(stockade_value) == 16);
static_assert(STOCKADE_UNLIMITED == UINT64_MAX);

bool is_expected(const char *feature) {
    const char *declared = std::getenv("STOCKADE_TEST_EXPECT");
    return declared != nullptr && std::strstr(declared, feature) != nullptr;
}

bool a_program_runs_from_cpp() {
    auto policy = make<Policy>(stockade_policy_new);
    for (int32_t weak : {STOCKADE_CONTROL_MEMORY, STOCKADE_CONTROL_CPU_TIME, STOCKADE_CONTROL_PROCESSES})
        if (stockade_policy_set_best_effort(policy.get(), weak, nullptr) != STOCKADE_OK)
            return false;
    auto sandbox = make<Sandbox>(stockade_sandbox_new, STOCKADE_BACKEND_NAMESPACE, nullptr);
    std::string heard;
    stockade_stdio stdio{};
    stdio.error.kind = STOCKADE_STREAM_CALLBACK;
    stdio.error.user_data = &heard;
    stdio.error.function = [](void *user_data, int32_t, const uint8_t *data, size_t length) -> int32_t {
        static_cast<std::string *>(user_data)->append(reinterpret_cast<const char *>(data), length);
        return 0;
    };
    const std::array<const char *, 4> argv{"sh", "-c", "echo hello; echo there >&2; exit 3", nullptr};
    auto report = make<Report>(stockade_run, sandbox.get(), policy.get(), argv.data(), &stdio);
    size_t length = 0;
    const uint8_t *bytes = stockade_report_output(report.get(), STOCKADE_STDOUT, &length);
    std::string output(reinterpret_cast<const char *>(bytes), length);
    return output == "hello\n" && heard == "there\n"
        && stockade_report_verdict(report.get()) == STOCKADE_VERDICT_EXITED
        && stockade_report_code(report.get()) == 3;
}

bool an_error_becomes_an_exception() {
    try {
        make<Policy>(stockade_policy_from_toml, "[limits]\nmemroy = 1");
    } catch (const Failure &failure) {
        return failure.kind == STOCKADE_INVALID_POLICY && std::strstr(failure.what(), "memroy") != nullptr;
    }
    return false;
}

int report(const char *name, bool (*test)()) {
    try {
        bool holds = test();
        std::printf("%s %s\n", holds ? "ok" : "not ok", name);
        return holds ? 0 : 1;
    } catch (const Failure &failure) {
        if (failure.kind == STOCKADE_UNSUPPORTED && !is_expected("userns")) {
            std::printf("SKIP: %s: %s\n", name, failure.what());
            return 0;
        }
        std::printf("# %s\nnot ok %s\n", failure.what(), name);
        return 1;
    }
}

} // namespace

int main() {
    return report("a_program_runs_from_cpp", a_program_runs_from_cpp)
        | report("an_error_becomes_an_exception", an_error_becomes_an_exception);
}
