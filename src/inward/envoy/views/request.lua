-- Requests: whether one holds what its service may not receive. The rules are those of `inward.guard.bodies.sent`.
--
-- A request that is held to them is let on by `admitted` alone. In mode observe it is let on at once, and what it holds
-- is said when it is known.

local json, head, search, said, SETTINGS = ...
local say = said.say
local FORM = "application/x-www-form-urlencoded"
local FORBIDDEN = 403

-- Answer a request in the place of the service. The body is that of all refusals: see `inward.envoy.resources.refusals`.
local function refuse(handle, program, found, status)
  local reason = status == FORBIDDEN and "undisclosed" or "unreadable"
  say(handle, "verdict", said.verdict({reason = reason, sent = found}, program.classes))
  handle:respond({[":status"] = tostring(status)})
end

-- Return the classes that the parameters hold.
local function of_parameters(handle, set)
  local found = {}
  search.add(found, set.held)
  local path = handle:headers():get(":path")
  local query = path:find("?", 1, true)
  if query then
    search.fields_of(path:sub(query + 1), function(name) search.add(found, set.query[name] or {}) end)
  end
  return found
end

-- Return the status of the refusal of a body that cannot be read by its head; nil where it can be.
local function unreadable(headers, set)
  local media_type = head.media_type_of(headers)
  local readable = media_type == FORM or head.separator_of(media_type)
  return not (readable and set.places) and 415 or nil
end

-- Add the classes that a body holds; return the status of the refusal where that cannot be said.
local function of_body(headers, set, body, found)
  local status = unreadable(headers, set)
  if status then return status end
  local media_type = head.media_type_of(headers)
  local separator = head.separator_of(media_type)
  local ok, problem
  if not separator then
    ok, problem = pcall(search.form, body, set.whole, found)
  elseif separator == "" then
    ok, problem = pcall(search.document, body, set.whole, found)
  else
    ok, problem = pcall(search.sequence, body, set.part, found, separator)
  end
  if ok then return nil end
  if problem ~= json.UNVIEWABLE then error(problem, 0) end
  return 400
end

local function all_of(set, found)
  for _, number in ipairs(set.body) do found[number] = true end
  return found
end

-- Let a request on, or answer it.
local function admit(handle, program, set)
  local found = of_parameters(handle, set)
  if next(found) then return refuse(handle, program, found, FORBIDDEN) end
  if #set.body > 0 then
    local headers = handle:headers()
    local length = tonumber(head.only(headers, "content-length") or nil)
    local status = length and length > 0 and (unreadable(headers, set) or length > SETTINGS.most_bytes and 413)
    if status then return refuse(handle, program, all_of(set, {}), status) end
    if not length then
      say(handle, "verdict", said.verdict({reason = "unreadable", sent = all_of(set, {})}, program.classes))
    end
    local body = handle:body(true)
    if body:length() > SETTINGS.most_bytes then return refuse(handle, program, all_of(set, {}), 413) end
    if body:length() > 0 then
      status = of_body(handle:headers(), set, body:getBytes(0, body:length()), found)
      if status then return refuse(handle, program, all_of(set, {}), status) end
      if next(found) then return refuse(handle, program, found, FORBIDDEN) end
    end
    if not length then say(handle, "verdict", "{}") end
  end
  say(handle, "admitted", "yes")
end

-- Return what would be refused of a request in mode observe: the reason, nil for nothing, and the classes.
local function observed(handle, set)
  local found = of_parameters(handle, set)
  if #set.body == 0 then return next(found) and "undisclosed", found end
  local pieces, length = {}, 0
  for chunk in handle:bodyChunks() do
    local size = chunk:length()
    if length <= SETTINGS.most_bytes and size > 0 then pieces[#pieces + 1] = chunk:getBytes(0, size) end
    length = length + size
  end
  local status = length > SETTINGS.most_bytes
  if length > 0 and not status then
    status = of_body(handle:headers(), set, table.concat(pieces), found)
  end
  if status then return "unreadable", all_of(set, found) end
  return next(found) and "undisclosed" or nil, found
end

return {admit = admit, observed = observed}
