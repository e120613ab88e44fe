-- wrk asks for the addresses of a file, each once, and stops when there are no more; a single address is asked for again and again:
--   wrk -s walk.lua URL -- FILE
local ffi = require("ffi")
ffi.cdef([[int getpid(void); int kill(int, int);]])
local SIGINT = 2

local requests, next_one = {}, 0

function init(arguments)
  for path in io.lines(arguments[1]) do
    requests[#requests + 1] = wrk.format("GET", path)
  end
end

-- The interrupt ends the wait of wrk's main thread, so that its duration is the one of the requests.
function request()
  if #requests == 1 then
    return requests[1]
  end
  next_one = next_one + 1
  if next_one > #requests then
    wrk.thread:stop()
    ffi.C.kill(ffi.C.getpid(), SIGINT)
    return requests[#requests]
  end
  return requests[next_one]
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format(
    'result {"requests": %d, "seconds": %f, "median": %f, "p99": %f, "bytes": %d, "errors": %d}',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, summary.bytes,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout
  ))
end
