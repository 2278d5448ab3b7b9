-- What stands in the place of a value that is withheld. The rules are those of `inward.guard.bodies.view`.

local json, token = ...
local quoted, text_end, text_of = json.quoted, json.text_end, json.text_of
local byte, sub = string.byte, string.sub

local SHORT = 8  -- characters; of a shorter text the last four would be most of it
local DROP, NULL, MASK = 1, 2, 4

-- Return a text but for its last four characters, if it is long enough for that.
local function masked(text)
  local characters, fourth = 0, nil
  for at = #text, 1, -1 do
    local c = byte(text, at)
    if c < 128 or c >= 192 then
      characters = characters + 1
      if characters == 4 then fourth = at end
      if characters == SHORT then break end
    end
  end
  return "****" .. (characters >= SHORT and sub(text, fourth) or "")
end

-- Return what stands in the place of the value from `at` to `last`, which begins with `c`; nil for nothing.
local function instead(s, at, last, c, place, view)
  local what = place.what
  if what == DROP then return nil end
  if what == NULL or c == 110 then return "null" end
  local text
  if c == 34 then
    local _, plain = text_end(s, at)
    text = text_of(s, at, last, plain)
  elseif c == 45 or c >= 48 and c <= 57 then
    text = sub(s, at, last)
  else
    return nil
  end
  if what == MASK then return quoted(masked(text)) end
  if not view.hmac then return nil end
  local said = "[" .. quoted(view.caller) .. "," .. place.said .. "," .. tostring(c == 34) .. "," .. quoted(text) .. "]"
  return '"tok_' .. token.base64url(view.hmac(said)) .. '"'
end

return instead
