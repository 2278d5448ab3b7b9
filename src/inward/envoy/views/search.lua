-- Searches: which data classes a request holds. The rules are those of `inward.guard.bodies.search`.

local json = ...
local after_space, fail, text_end, text_of, value_end =
  json.after_space, json.fail, json.text_end, json.text_of, json.value_end
local char, find, gsub, sub = string.char, string.find, string.gsub, string.sub

local MAX_DEPTH = 64  -- levels that are looked into

local function add(found, classes)
  for _, number in ipairs(classes) do found[number] = true end
end

-- Add what the value holds that begins with `c` at `at`, and return where it ends.
local function look(s, at, c, place, depth, found)
  if not place or c == 110 then return value_end(s, at, c, depth) end
  local object = c == 123
  if place.what ~= 0 or not object and c ~= 91 then
    add(found, place.classes)
    return value_end(s, at, c, depth)
  end
  if depth >= MAX_DEPTH then fail() end
  local close, below = object and 125 or 93, place.items
  if not object and not below then return value_end(s, at, c, depth) end
  at, c = after_space(s, at + 1)
  if c == close then return at end
  while true do
    if object then
      if c ~= 34 then fail() end
      local last, plain = text_end(s, at)
      below = place.fields[text_of(s, at, last, plain)]
      if below == nil then below = place.rest end
      at, c = after_space(s, last + 1)
      if c ~= 58 then fail() end
      at, c = after_space(s, at + 1)
    end
    at, c = after_space(s, look(s, at, c, below, depth + 1, found) + 1)
    if c == close then return at end
    if c ~= 44 then fail() end
    at, c = after_space(s, at + 1)
  end
end

-- Add what one document holds.
local function document(s, place, found)
  local at, c = after_space(s, 1)
  at, c = after_space(s, look(s, at, c, place, 0, found) + 1)
  if c then fail() end
end

-- Add what documents with `separator` between them hold.
local function sequence(s, place, found, separator)
  local from = 1
  while true do
    local at = find(s, separator, from, true)
    local part = sub(s, from, at and at - 1)
    local _, c = after_space(part, 1)
    if c then document(part, place, found) end
    if not at then return end
    from = at + 1
  end
end

local function unquoted(name)
  return (gsub(gsub(name, "+", " "), "%%(%x%x)", function(digits) return char(tonumber(digits, 16)) end))
end

-- Call `take` with the fields of which a form, or a query, has a value: by its whole name, and by how the name begins.
local function fields_of(form, take)
  for pair in form:gmatch("[^&;]+") do
    local _, _, name = find(pair, "^([^=]*)=.")
    if name then
      name = unquoted(name)
      take(name)
      local nested = find(name, "[%[.]")
      if nested then take(sub(name, 1, nested - 1)) end
    end
  end
end

-- Add what a form holds. Some programs read JSON and XML whatever the content type says, so what could be that is no form.
local function form(s, place, found)
  if find(s, '["{<%z]') then fail() end
  for pair in s:gmatch("[^&;]+") do
    if not find(pair, "=", 1, true) then fail() end
  end
  if not place then return end
  fields_of(s, function(name)
    local below = place.fields[name]
    if below == nil then below = place.rest end
    if place.what ~= 0 then below = place end
    if below then add(found, below.classes) end
  end)
end

return {add = add, document = document, fields_of = fields_of, form = form, sequence = sequence}
