using System.Globalization;
using System.Text;
using Dapper;
using Microsoft.Data.Sqlite;
using WebhookService.Application.Common;
using WebhookService.Application.Devices;
using WebhookService.Domain.Sessions;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Devices;

/// <summary>
/// Picks the numbers of the devices on a page. A list is walked along the index of its order, from the place where the page before ended, so
/// that no page costs more than the first; each filter is tried on the way. Only where a look at an index (for texts and tags, at the table)
/// shows that few devices pass a filter are these sorted instead.
/// </summary>
internal sealed class DevicePick
{
    /// <summary>So many rows are sorted rather than searched for along the order.</summary>
    private const int Few = 2_000;

    private readonly DeviceFilter filter;
    private readonly DeviceSort sort;
    private readonly Order order;
    private readonly Place? place;
    private readonly List<Term> terms = [];
    private readonly DynamicParameters parameters = new();
    private Term? driver;

    public DevicePick(DeviceFilter filter, DeviceSort sort, string? cursor, DateTimeOffset now, TimeSpan? expectedInterval)
    {
        (this.filter, this.sort, order) = (filter, sort, Orders[sort.Key]);
        place = Cursor.Read<Place>(cursor);
        if (place is not null) Seek(place);
        AddTerms(now, expectedInterval);
    }

    /// <summary>Where a page ended: the order, and the row's key in it and its tie-breaker.</summary>
    private sealed record Place(string Sort, string? Key, string Tie);

    /// <summary>One order and the index that has it.</summary>
    /// <param name="Key">The column of the key. Its rows without a value come after all others.</param>
    /// <param name="Tie">Decides between equal keys.</param>
    /// <param name="ByStatus">The index begins with the status: one range for each, merged.</param>
    private sealed record Order(string Key, string Tie, bool ByStatus, bool CanBeNull, Func<DeviceView, string?> Value)
    {
        public string Table { get; } = Key[..1];
        public bool TieIsNumber { get; } = Tie.EndsWith("client_no", StringComparison.Ordinal);
        public bool KeyIsNumber { get; } = Key.EndsWith("_at", StringComparison.Ordinal);
    }

    private static readonly Dictionary<DeviceSortKey, Order> Orders = new()
    {
        [DeviceSortKey.ClientId] = new("d.client_id", "d.client_id", ByStatus: false, CanBeNull: false, device => device.ClientId),
        [DeviceSortKey.LastSeenAt] = new("a.last_seen_at", "a.client_no", ByStatus: true, CanBeNull: true, device => Text(device.LastSeenAt)),
        [DeviceSortKey.ConnectedAt] = new("d.connected_at", "d.client_no", ByStatus: true, CanBeNull: true, device => Text(device.ConnectedAt)),
        [DeviceSortKey.FirstSeenAt] = new("d.first_seen_at", "d.client_no", ByStatus: false, CanBeNull: false, device => Text(device.FirstSeenAt)),
        [DeviceSortKey.Name] = new("d.name", "d.client_id", ByStatus: false, CanBeNull: true, device => device.Name),
        [DeviceSortKey.Username] = new("d.username", "d.client_id", ByStatus: false, CanBeNull: true, device => device.Username),
    };

    /// <summary>Whether when devices were last seen, or what they did, decides on the page: that reaches its table a moment late.</summary>
    public bool ReadsActivity => order.Table is "a" || terms.Exists(term => term.Activity);

    /// <summary>The numbers of the devices on the page, in order.</summary>
    public List<long> Read(SqliteConnection connection, int limit)
    {
        Prepare(connection);
        var numbers = new List<long>();
        foreach (var part in Parts())
        {
            parameters.Add("limit", limit - numbers.Count);
            numbers.AddRange(connection.Query<long>(part, parameters));
            if (numbers.Count == limit) break;
        }
        return numbers;
    }

    /// <summary>How many devices pass the filters.</summary>
    public long Count(SqliteConnection connection)
    {
        Prepare(connection);
        var where = terms.Select(term => term.Sql()).ToList();
        if (filter.Status.Count > 0) where.Add($"d.status IN ({Statuses})");
        var join = terms.Exists(term => term.Activity) ? "JOIN device_activity a ON a.client_no = d.client_no" : "";
        return connection.ExecuteScalar<long>($"SELECT count(*) FROM devices d {join} {Where(where)}", parameters);
    }

    /// <summary>All devices that pass the filters, in no order: tables, with `d` the devices, and conditions for the statement of somebody else.</summary>
    public (string Tables, string Where) Passing(SqliteConnection connection)
    {
        Prepare(connection);
        var where = terms.Select(term => term == driver || term.Column is "d.client_id" ? term.Sql() : term.Tried()).ToList();
        if (filter.Status.Count > 0) where.Add($"+d.status IN ({Statuses})");
        return (terms.Exists(term => term.Activity) ? "devices d CROSS JOIN device_activity a ON a.client_no = d.client_no" : "devices d", Where(where));
    }

    /// <summary>The cursor of the page after the one that ends with this device.</summary>
    public string CursorAfter(long number, DeviceView device) =>
        Cursor.Of(new Place(SortName, order.Value(device), order.TieIsNumber ? number.ToString(CultureInfo.InvariantCulture) : device.ClientId));

    /// <summary>The same in the order of client ids.</summary>
    public static string CursorAfter(string clientId) => Cursor.Of(new Place(nameof(DeviceSortKey.ClientId), clientId, clientId));

    /// <summary>The statements that give the page one after the other: rows with a key, then rows without.</summary>
    internal IEnumerable<string> Parts()
    {
        if (place is null or { Key: not null }) yield return Statement(withKey: true);
        var bounded = sort.Key is DeviceSortKey.LastSeenAt && (filter.LastSeenAfter ?? filter.LastSeenBefore) is not null;
        if (order.CanBeNull && !bounded) yield return Statement(withKey: false);
    }

    internal DynamicParameters Parameters => parameters;

    /// <summary>Decides whether one filter lets so few pass that it leads, not the order.</summary>
    internal void Prepare(SqliteConnection connection)
    {
        if (filter.Text is { } sought && !Ascii.IsValid(sought))
            connection.CreateFunction("has_text", (string? text, string part) => text?.Contains(part, StringComparison.OrdinalIgnoreCase) is true, isDeterministic: true);

        driver = terms.Find(term => term.Leads is Lead.Always) ?? terms.Find(term => IsNarrow(connection, term));
    }

    private bool IsNarrow(SqliteConnection connection, Term term)
    {
        if (term.Leads is Lead.Never || (term.Leads is Lead.UnlessByClientId && sort.Key is DeviceSortKey.ClientId)) return false;
        return connection.ExecuteScalar<long>($"SELECT count(*) FROM (SELECT 1 FROM devices d WHERE {term.Sql()} LIMIT {Few + 1})", parameters) <= Few;
    }

    private string Statement(bool withKey)
    {
        var leads = driver is not null;
        // By client id, the indexes of username, node and address have the order too; then the status is only tried.
        var equal = sort.Key is DeviceSortKey.ClientId && (filter.Username ?? filter.Node ?? filter.Ip) is not null;
        var byStatus = !leads && !equal && (order.ByStatus || (sort.Key is DeviceSortKey.ClientId && filter.Status.Count > 0));
        var (direction, after) = sort.Descending ? ("DESC", "<") : ("ASC", ">");
        var (key, tie) = leads ? ("+" + order.Key, "+" + order.Tie) : (order.Key, order.Tie); // with a plus: sorted, not walked

        var where = terms
            .Select(term => term == driver || (!leads && (term.OnOrder || (equal && term.Leads is Lead.UnlessByClientId))) ? term.Sql() : term.Tried())
            .ToList();
        if (!byStatus && filter.Status.Count > 0) where.Add($"+d.status IN ({Statuses})");
        if (order.CanBeNull) where.Add(withKey ? $"{key} IS NOT NULL" : $"{key} IS NULL");

        var tables = order.Table switch
        {
            "d" when !terms.Exists(term => term.Activity) => "devices d",
            "a" when !leads && !terms.Exists(term => term.Device) => "device_activity a",
            "a" when !leads => "device_activity a CROSS JOIN devices d ON d.client_no = a.client_no",
            _ => "devices d CROSS JOIN device_activity a ON a.client_no = d.client_no",
        };
        string?[] seeks = place switch
        {
            null => [null],
            { Key: null } => [$"{tie} {after} @tie"],
            _ when !withKey => [null],
            _ when order.Key == order.Tie => [$"{key} {after} @key"],
            // Not (key, tie) > (@key, @tie): of that SQLite takes no more than the key to the index if the tie is a rowid.
            _ => [$"{key} = @key AND {tie} {after} @tie", $"{key} {after} @key"],
        };
        var statuses = filter.Status.Count > 0 ? filter.Status : Enum.GetValues<ConnectivityStatus>();
        var ranges = byStatus ? statuses.Select(string? (status) => $"{order.Table}.status = {(int)status}") : [(string?)null];
        var selects =
            from range in ranges
            from seek in seeks
            select $"SELECT {order.Table}.client_no, {key} AS k, {tie} AS t FROM {tables} {Where([.. new[] { range, seek }.OfType<string>(), .. where])}";
        var by = withKey && order.Key != order.Tie ? $"k {direction}, t {direction}" : $"t {direction}";
        return $"{string.Join("\nUNION ALL\n", selects)}\nORDER BY {by} LIMIT @limit";
    }

    private string Statuses => string.Join(", ", filter.Status.Select(status => (int)status));

    private string SortName => (sort.Descending ? "-" : "") + sort.Key;

    private void Seek(Place from)
    {
        try
        {
            if (from.Sort != SortName || from.Tie is null || (from.Key is null && !order.CanBeNull)) throw new FormatException();
            parameters.Add("key", order.KeyIsNumber && from.Key is not null ? long.Parse(from.Key, CultureInfo.InvariantCulture) : from.Key);
            parameters.Add("tie", order.TieIsNumber ? long.Parse(from.Tie, CultureInfo.InvariantCulture) : from.Tie);
        }
        catch (Exception fault) when (fault is FormatException or OverflowException)
        {
            throw Cursor.Foreign();
        }
    }

    private void AddTerms(DateTimeOffset now, TimeSpan? expectedInterval)
    {
        parameters.Add("now", now.ToMs());
        parameters.Add("interval", (long?)expectedInterval?.TotalMilliseconds);
        if (filter.ClientId is { IsPrefix: false } exact) Add("clientId", exact.Text, new("{0} = @clientId", "d.client_id", Lead.Always));
        if (filter.ClientId is { IsPrefix: true, Text.Length: > 0 } prefix) AddPrefix(prefix.Text);
        if (filter.Username is { } username) Add("username", username, new("{0} = @username", "d.username", Lead.UnlessByClientId));
        if (filter.Node is { } node) Add("node", node, new("{0} = @node", "d.node", Lead.UnlessByClientId));
        if (filter.Ip is { } ip) Add("ip", ip, new("{0} = @ip", "d.ip", Lead.UnlessByClientId));
        if (filter.Flapping is true) terms.Add(new("{0} > @now", "d.flapping_until", Lead.IfFew));
        if (filter.Flapping is false) terms.Add(new("coalesce(d.flapping_until, 0) <= @now"));
        if (filter.Confidence.Count > 0)
        {
            // Doubt is rare and has an index; what is confirmed is met everywhere.
            var (doubt, lead) = filter.Confidence.Contains(Confidence.Confirmed) ? ("", Lead.Never) : (" AND d.confidence <> 0", Lead.IfFew);
            terms.Add(new($"{{0}} IN ({string.Join(", ", filter.Confidence.Select(one => (int)one))}){doubt}", "d.confidence", lead));
        }
        if (filter.Reason.Count > 0)
            terms.Add(new($"{{0}} IN ({string.Join(", ", filter.Reason.Select(reason => $"'{Words.Of(reason)}'"))})", "d.last_reason", Lead.IfFew));
        if (filter.Activity.Count > 0)
            terms.Add(new($"{ActivitySql} IN ({string.Join(", ", filter.Activity.Select(one => (int)one))})") { Activity = true });
        if (filter.LastSeenAfter is { } from) Add("seenAfter", from.ToMs(), LastSeen("{0} > @seenAfter", superseded: !sort.Descending));
        if (filter.LastSeenBefore is { } to) Add("seenBefore", to.ToMs(), LastSeen("{0} < @seenBefore", superseded: sort.Descending));
        if (filter.Text is { } text && Ascii.IsValid(text))
        {
            var pattern = text.Replace("\\", @"\\", StringComparison.Ordinal).Replace("%", @"\%", StringComparison.Ordinal).Replace("_", @"\_", StringComparison.Ordinal);
            Add("text", $"%{pattern}%", new(@"(d.client_id LIKE @text ESCAPE '\' OR d.name LIKE @text ESCAPE '\' OR d.username LIKE @text ESCAPE '\')", Leads: Lead.IfFew));
        }
        else if (filter.Text is { } other) // LIKE knows the cases of ASCII only
        {
            Add("text", other, new("(has_text(d.client_id, @text) OR has_text(d.name, @text) OR has_text(d.username, @text))", Leads: Lead.IfFew));
        }
        foreach (var ((name, value), i) in filter.Tags.Select((tag, i) => (tag, i)))
        {
            parameters.Add($"tag{i}", name);
            Add($"tagValue{i}", value, new($"(d.tags <> '{{{{}}}}' AND EXISTS (SELECT 1 FROM json_each(d.tags) WHERE key = @tag{i} AND value = @tagValue{i}))", Leads: Lead.IfFew));
        }
    }

    /// <summary>Where the cursor bounds the same end of the range, SQLite must not take this bound for the start: it lies further off.</summary>
    private Term LastSeen(string sql, bool superseded) => new(sql, "a.last_seen_at")
    {
        Activity = true,
        Device = false,
        OnOrder = sort.Key is DeviceSortKey.LastSeenAt && !(superseded && place is not null),
    };

    private void AddPrefix(string prefix)
    {
        parameters.Add("from", prefix);
        var end = TextPrefix.End(prefix);
        parameters.Add("to", end);
        if (sort.Key is not DeviceSortKey.ClientId)
        {
            terms.Add(new(end is null ? "{0} >= @from" : "{0} >= @from AND {0} < @to", "d.client_id", Lead.IfFew));
            return;
        }
        terms.Add(new("{0} >= @from", "d.client_id") { OnOrder = place is null || sort.Descending });
        if (end is not null) terms.Add(new("{0} < @to", "d.client_id") { OnOrder = place is null || !sort.Descending });
    }

    private void Add(string name, object value, Term term)
    {
        parameters.Add(name, value);
        terms.Add(term);
    }

    private static string Where(IReadOnlyCollection<string> conditions) => conditions.Count == 0 ? "" : $"WHERE {string.Join(" AND ", conditions)}";

    private static string? Text(DateTimeOffset? time) => time?.ToMs().ToString(CultureInfo.InvariantCulture);

    /// <summary>The value of <see cref="ActivityStatus"/>; needs @now and @interval in milliseconds.</summary>
    public const string ActivitySql = """
        CASE WHEN a.last_message_at IS NULL THEN 2
             WHEN a.last_message_at + coalesce(d.message_interval * 1000, @interval) < @now THEN 1
             ELSE 0 END
        """;

    private enum Lead
    {
        Never,

        /// <summary>Leads if few devices pass it.</summary>
        IfFew,

        /// <summary>The same, but in the order of client ids its index has the order already.</summary>
        UnlessByClientId,
        Always,
    }

    /// <summary>One condition. With a plus before its column SQLite tries it on rows found otherwise and looks for no index.</summary>
    private sealed record Term(string Text, string? Column = null, Lead Leads = Lead.Never)
    {
        public bool Device { get; init; } = true;
        public bool Activity { get; init; }

        /// <summary>Bounds the very range that is walked.</summary>
        public bool OnOrder { get; init; }

        public string Sql() => string.Format(CultureInfo.InvariantCulture, Text, Column);

        public string Tried() => string.Format(CultureInfo.InvariantCulture, Text, "+" + Column);
    }
}
