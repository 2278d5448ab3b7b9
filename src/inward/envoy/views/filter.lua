-- The filter: what an operation's program (`inward.envoy.views.program`) says about a call, done to it.
--
-- 1. `envoy_on_request` finds who calls, by the certificate that was verified, and what is withheld from it now. It puts
--    the number of that set into the stream's metadata, and asks the service for nothing that has no view. A request that
--    may hold what the service may not receive is let on by saying `admitted`.
-- 2. `envoy_on_response` views the answer, and only then says `shown`.
--
-- Whatever goes wrong leaves that out, and what is not admitted, or not shown, is refused by filters that are not Lua: see
-- `inward.envoy.views.filters`. Programs are kept by each worker.

local json, view, said, answer, request, SETTINGS = ...
local say = said.say
local MOST_PROGRAMS = 10000
local programs, loaded = {}, 0

-- Return the program of a route.
local function program_of(handle)
  local context = handle:filterContext()
  local id = context:get("id")
  local program = programs[id]
  if not program then
    program = json.decoded(context:get("program"))
    for _, sets in ipairs({program.sets, program.taken.sets}) do
      for number, set in ipairs(sets) do
        set.number = number
        if set.places then view.linked(set, program.classes) end
      end
    end
    if loaded >= MOST_PROGRAMS then programs, loaded = {}, 0 end
    programs[id], loaded = program, loaded + 1
  end
  return program
end

-- Return the name of the service that calls; nil for who is none of this trust domain.
local function caller_of(handle, program)
  local connection = handle:streamInfo():downstreamSslConnection()
  local names = connection and connection:uriSanPeerCertificate() or {}
  local prefix = program.prefix
  if #names ~= 1 or names[1]:sub(1, #prefix) ~= prefix then return nil end
  return names[1]:sub(#prefix + 1)
end

-- Return the number of the set that counts now: there is one, or each counts from a moment on.
local function now_of(handle, found)
  if type(found) ~= "table" then return found end
  local now, number = tonumber(handle:timestampString(EnvoyTimestampResolution.MICROSECOND)), nil
  for _, phase in ipairs(found) do
    if phase[1] <= now then number = phase[2] end
  end
  return number
end

local function on_request(handle)
  local program = program_of(handle)
  local caller = caller_of(handle, program)
  local set = program.sets[now_of(handle, caller and program.callers[caller] or program.otherwise)]
  local taken = program.taken.sets[now_of(handle, program.taken.phases)]
  if taken.nothing then taken = nil end
  if program.observed then
    local reason, sent
    if taken then reason, sent = request.observed(handle, taken) end
    if reason or #set.withheld > 0 then
      local withheld = {}
      for _, number in ipairs(set.withheld) do withheld[number] = true end
      local verdict = {reason = reason or nil, sent = reason and sent, withheld = withheld, observed = true}
      say(handle, "verdict", said.verdict(verdict, program.classes))
    end
    return
  end
  if #set.withheld == 0 then
    say(handle, "shown", "yes")
  else
    local headers = handle:headers()
    for _, name in ipairs(SETTINGS.not_asked_for) do
      headers:remove(name)
    end
  end
  if taken then request.admit(handle, program, taken) else say(handle, "admitted", "yes") end
  if #set.withheld > 0 then say(handle, "set", set.number) end
end

local function on_response(handle, number)
  local program = program_of(handle)
  answer(handle, program, program.sets[number], caller_of(handle, program))
end

local function guarded(handle, what, ...)
  local ok, problem = pcall(what, handle, ...)
  if not ok then said.tell(handle, problem) end
end

function envoy_on_request(handle)
  guarded(handle, on_request)
end

function envoy_on_response(handle)
  local known = handle:streamInfo():dynamicMetadata():get(SETTINGS.metadata)
  if known and known.set then guarded(handle, on_response, known.set) end
end
