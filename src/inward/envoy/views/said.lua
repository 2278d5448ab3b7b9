-- What is said of a call: to the filters after this one and to the access log, by the stream's metadata.

local json, SETTINGS = ...
local METADATA = SETTINGS.metadata

local function say(handle, key, value)
  handle:streamInfo():dynamicMetadata():set(METADATA, key, value)
end

-- Tell the log what went wrong, which may hold a piece of a body: only where it was is told.
local function tell(handle, problem)
  handle:logErr("a view failed: " .. tostring(problem):gsub("^(.-:%d+:).*$", "%1"):sub(1, 100))
end

local function listed(numbers, classes)
  local names, length, more = {}, 0, false
  for number, name in ipairs(classes) do
    if numbers[number] then
      length = length + #name + 3
      if length > SETTINGS.most_verdict then more = true else names[#names + 1] = json.quoted(name) end
    end
  end
  return names, more
end

-- Return a verdict as `inward.record.verdict` reads it.
local function verdict(said, classes)
  local parts = {}
  if said.reason then parts[1] = '"reason":' .. json.quoted(said.reason) end
  local more = false
  for _, key in ipairs({"withheld", "sent"}) do
    local names, some = listed(said[key] or {}, classes)
    if #names > 0 then parts[#parts + 1] = '"' .. key .. '":[' .. table.concat(names, ",") .. "]" end
    more = more or some
  end
  if said.observed then parts[#parts + 1] = '"observed":true' end
  if more then parts[#parts + 1] = '"more":true' end
  return "{" .. table.concat(parts, ",") .. "}"
end

return {say = say, tell = tell, verdict = verdict}
