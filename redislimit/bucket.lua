-- Buckets (GCRA) that are charged together, all or none.
--
-- KEYS[1]  the buckets' state
-- ARGV     how many buckets; for each of them its ticks per microsecond, ticks per event, ticks of a
--          full burst and the most ticks that can be owed; an operation; and its arguments:
--            take n ...    requests, one after the other
--            peek
--            charge n      n events, whether they fit or not
--            refund n held what has not drained of n events, granted held microseconds ago
--
-- The state is a "b", and for each bucket "tat part scale event changed;". What was granted has
-- drained at the time tat (in microseconds) and part (in ticks, less than a microsecond). Scale and
-- event are the bucket's ticks per microsecond and per event. Changed is the time of the last change
-- of these, if there was one.
--
-- It returns the time, and what each bucket owes: whole microseconds, and ticks. For take and peek
-- that is what was owed before, and the caller repeats the steps.
--
-- All numbers are whole and below 2^53, where doubles are exact. Products that may be greater are
-- only compared with numbers below.

local count = ARGV[1] + 0
local first = 2 + 4 * count
local op = ARGV[first]
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local text = redis.call('GET', KEYS[1])
if text and string.sub(text, 1, 1) ~= 'b' then
  return redis.error_reply('RATELIMIT the key has no state of buckets')
end

-- share returns a*b/c rounded up, for a < c <= 2^51 and b <= 2^51, by long division: no number is
-- above 2^53.
local function share(a, b, c)
  local quotient, rest = 0, 0
  for bit = 51, 0, -1 do
    quotient, rest = quotient * 2, rest * 2
    if b >= 2 ^ bit then
      b, rest = b - 2 ^ bit, rest + a
    end
    while rest >= c do
      quotient, rest = quotient + 1, rest - c
    end
  end
  if rest > 0 then quotient = quotient + 1 end
  return quotient
end

local tats, parts, marks, reply = {}, {}, {}, {now}
local dirty = false
local from = 2
for j = 1, count do
  local at = 4 * j - 2
  local tat, part, changed = now, 0, ''
  if text and from <= #text then
    local found, to, t, p, scale, event, mark = string.find(text, '^(%d+) (%d+) (%d+) (%d+) (%d*);', from)
    if not found then
      return redis.error_reply('RATELIMIT the key has no state of buckets')
    end
    from = to + 1
    t = t + 0
    if t >= now then
      tat, part, changed = t, p + 0, mark
      if mark ~= '' and (now - mark) * ARGV[at] >= ARGV[at + 2] + 0 then
        changed = '' -- what was granted before the change has drained
      end
      if scale ~= ARGV[at] or event ~= ARGV[at + 1] then
        -- The rate has changed: the same number of events is owed, rounded up.
        local old, new = event + 0, ARGV[at + 1] + 0
        local owed = (tat - now) * scale + part
        local rest = math.fmod(owed, old)
        owed = math.min((owed - rest) / old * new + share(rest, new, old), ARGV[at + 3] + 0)
        part = math.fmod(owed, ARGV[at])
        tat = now + (owed - part) / ARGV[at]
        changed = string.format('%.0f', now)
        dirty = true
      end
    end
  end
  tats[j], parts[j], marks[j] = tat, part, changed
  reply[2 * j], reply[2 * j + 1] = tat - now, part
end

-- add lets bucket j owe so many ticks more. Part and ticks together are below 2^53.
local function add(j, ticks)
  local scale = ARGV[4 * j - 2] + 0
  local part = parts[j] + ticks
  if part >= scale then
    local left = math.fmod(part, scale)
    tats[j] = tats[j] + (part - left) / scale
    part = left
  end
  parts[j] = part
  dirty = true
end

if op == 'take' then
  for i = first + 1, #ARGV do
    local n, fits = ARGV[i] + 0, true
    for j = 1, count do
      local at = 4 * j - 2
      if (tats[j] - now) * ARGV[at] + parts[j] > ARGV[at + 2] - n * ARGV[at + 1] then
        fits = false
        break
      end
    end
    if fits then
      for j = 1, count do add(j, n * ARGV[4 * j - 1]) end
    end
  end
elseif op ~= 'peek' then
  local n = ARGV[first + 1] + 0
  for j = 1, count do
    local at = 4 * j - 2
    local owed = (tats[j] - now) * ARGV[at] + parts[j]
    if op == 'charge' then
      local cost = math.min(n * ARGV[at + 1], ARGV[at + 3] - owed)
      if cost > 0 then add(j, cost) end
    else
      local held = ARGV[first + 2] + 0
      local credit = math.min(n * ARGV[at + 1] - held * ARGV[at], owed)
      if credit > 0 and (marks[j] == '' or now - held > marks[j] + 0) then
        local scale = ARGV[at] + 0
        local left = math.fmod(credit, scale)
        tats[j] = tats[j] - (credit - left) / scale
        parts[j] = parts[j] - left
        if parts[j] < 0 then
          tats[j] = tats[j] - 1
          parts[j] = parts[j] + scale
        end
        dirty = true
      end
    end
    reply[2 * j], reply[2 * j + 1] = tats[j] - now, parts[j]
  end
end

if dirty then
  local last, state = now, 'b'
  for j = 1, count do
    state = state .. string.format('%.0f %.0f ', tats[j], parts[j]) .. ARGV[4 * j - 2] .. ' ' .. ARGV[4 * j - 1] .. ' ' .. marks[j] .. ';'
    if tats[j] >= last then last = tats[j] + 1 end
  end
  -- Whole milliseconds, rounded up: a key that expires before it has drained would grant too much. A
  -- second more is for clocks that are set back a little, and because a key that is made anew for
  -- each request costs more than one that stays.
  redis.call('SET', KEYS[1], state, 'PXAT', string.format('%.0f', math.ceil(last / 1000) + 1000))
end
return reply
