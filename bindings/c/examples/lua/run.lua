-- Runs a program in a sandbox from LuaJIT, with nothing but the shared library:
--     luajit run.lua PROGRAM [ARGUMENT...]
local ffi = require("ffi")
ffi.cdef [[ // what is needed of stockade.h
typedef struct stockade_policy stockade_policy;
typedef struct stockade_report stockade_report;
typedef struct stockade_error stockade_error;
const char *stockade_name(int32_t constant);
const char *stockade_error_message(const stockade_error *error);
void stockade_error_free(stockade_error *error);
int32_t stockade_policy_from_toml(const char *text, stockade_policy **policy, stockade_error **error);
void stockade_policy_free(stockade_policy *policy);
int32_t stockade_run(const void *sandbox, const stockade_policy *policy, const char *const *argv,
                     const void *stdio, stockade_report **report, stockade_error **error);
int32_t stockade_report_verdict(const stockade_report *report);
int32_t stockade_report_code(const stockade_report *report);
int32_t stockade_report_control(const stockade_report *report);
const uint8_t *stockade_report_output(const stockade_report *report, int32_t stream, size_t *length);
void stockade_report_free(stockade_report *report);
]]
local C, STDOUT = ffi.load("libstockade.so.0.1"), 1

-- What a call made, which goes when Lua lets go of it; or the end, with what it says.
local function made(status, object, failure, free)
  if status == 0 then return ffi.gc(object[0], free) end
  local message = ffi.string(C.stockade_error_message(failure[0]))
  C.stockade_error_free(failure[0])
  io.stderr:write("run.lua: ", message, "\n")
  os.exit(1, true)
end

local failure, policy, report = ffi.new("stockade_error *[1]"), ffi.new("stockade_policy *[1]"),
  ffi.new("stockade_report *[1]")
policy = made(C.stockade_policy_from_toml([[
  best_effort = ["memory", "cpu_time", "processes"]
  limits = { memory = "64MiB", wall_time = "2s" }]], policy, failure), policy, failure, C.stockade_policy_free)
local argv = ffi.new("const char *[?]", #arg + 1) -- one more, which stays NULL
for i = 1, #arg do argv[i - 1] = arg[i] end
report = made(C.stockade_run(nil, policy, argv, nil, report, failure), report, failure, C.stockade_report_free)

local length, control = ffi.new("size_t[1]"), C.stockade_report_control(report)
local output = C.stockade_report_output(report, STDOUT, length)
io.write(ffi.string(output, length[0]))
print(ffi.string(C.stockade_name(C.stockade_report_verdict(report))),
  control ~= 0 and ffi.string(C.stockade_name(control)) or C.stockade_report_code(report))
