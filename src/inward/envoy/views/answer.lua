-- Answers: what is shown of one. Whatever goes wrong here leaves out `shown`, and such an answer is refused.

local json, head, view, said, SETTINGS = ...
local say, tell = said.say, said.tell

-- Say that an answer has no view. An error stays the error that it is, without its page.
local function refuse(handle, set, status)
  if status >= 400 then
    say(handle, "verdict", set.told)
    say(handle, "status", status)
    say(handle, "title", SETTINGS.phrases[status] or "Unknown")
    say(handle, "kept", "yes")
  else
    say(handle, "verdict", set.refused)
  end
end

-- Give the length of what is shown; nothing that spoke of the whole stays.
local function give(handle, headers, length)
  for _, name in ipairs(SETTINGS.of_the_whole) do
    headers:remove(name)
  end
  if length then headers:replace("content-length", tostring(length)) end
  say(handle, "shown", "yes")
end

-- Return the verdict on an answer out of which something was cut.
local function verdict_on(program, cut)
  local found = {}
  for _, place in ipairs(cut) do
    for _, number in ipairs(place and place.classes or {}) do found[number] = true end
  end
  return said.verdict({withheld = found}, program.classes)
end

-- Show what may be shown of the answer to a caller from whom a set of classes is withheld.
local function shown(handle, program, set, caller)
  local headers = handle:headers()
  local status = tonumber(headers:get(":status"))
  if program.head or status == 204 or status == 304 then return give(handle, headers, nil) end
  local length = head.only(headers, "content-length")
  if length == "0" then return give(handle, headers, 0) end
  local separator = status ~= 206 and head.separator_of(head.media_type_of(headers)) or nil
  if not separator or not set.places or (tonumber(length) or 0) > SETTINGS.most_bytes then
    return refuse(handle, set, status)
  end
  if not length then say(handle, "verdict", set.refused) end  -- should it be too long, nobody asks here again
  local body = handle:body(true)
  if body:length() > SETTINGS.most_bytes then return refuse(handle, set, status) end
  if body:length() == 0 then
    say(handle, "verdict", "{}")
    return give(handle, handle:headers(), 0)
  end
  local seen = {caller = caller or "", cut = {}, hmac = SETTINGS.hmac}
  local document = body:getBytes(0, body:length())
  local ok, found
  if separator == "" then
    ok, found = pcall(view.document, document, set.whole, seen)
  else
    ok, found = pcall(view.sequence, document, set.part, seen, separator, separator == "\30" and "\n" or "")
  end
  if not ok then
    if found ~= json.UNVIEWABLE then tell(handle, found) end
    return refuse(handle, set, status)
  end
  body:setBytes(found)
  say(handle, "verdict", verdict_on(program, seen.cut))
  local trailers = handle:trailers()
  if trailers then
    local names = {}
    for name in pairs(trailers) do names[#names + 1] = name end
    for _, name in ipairs(names) do trailers:remove(name) end
  end
  give(handle, handle:headers(), #found)
end

return shown
