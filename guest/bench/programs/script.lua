-- What scripts do: calls, tables, strings, closures.
local function fibonacci(n)
    return n < 2 and n or fibonacci(n - 1) + fibonacci(n - 2)
end

local function words(count)
    local state, list = 12345, {}
    for i = 1, count do
        state = (state * 1103515245 + 12345) & 0x7fffffff
        list[i] = string.format("%05x", state >> 11)
    end
    return list
end

local function tally(list)
    local seen = {}
    for _, word in ipairs(list) do
        for letter in word:gmatch(".") do
            seen[letter] = (seen[letter] or 0) + 1
        end
    end
    return seen
end

local function queens(n)
    local columns, up, down, found = {}, {}, {}, 0
    local function place(row)
        if row > n then
            found = found + 1
            return
        end
        for column = 1, n do
            local a, b = row + column, row - column
            if not (columns[column] or up[a] or down[b]) then
                columns[column], up[a], down[b] = true, true, true
                place(row + 1)
                columns[column], up[a], down[b] = nil, nil, nil
            end
        end
    end
    place(1)
    return found
end

local list = words(20000)
table.sort(list, function(a, b) return a > b end)
print("result", fibonacci(24), list[1], tally(list)["e"], queens(7))
