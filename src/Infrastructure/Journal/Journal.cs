using WebhookService.Domain;
using WebhookService.Domain.Messages;
using WebhookService.Domain.Reports;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Journal;

/// <summary>
/// Every domain event once, in commit order, written in the transaction of the state it goes with. One writer gives the numbers, so a reader
/// that has seen n will never see a smaller one appear.
/// </summary>
internal sealed class Journal : IUnitOfWorkPart, IReportRepository
{
    /// <summary>SQL for the newest sequence number, which stays when its entry is gone by retention; 0 while nothing has happened.</summary>
    public static readonly string ReadHead = Sequence.ReadLast("journal", "journal", "seq");

    private const string Insert = "INSERT INTO journal (seq, type_no, at, client_no, message_no, data, key) VALUES (?, ?, ?, ?, ?, ?, ?)";

    private readonly Lazy<Statement> insert;
    private readonly Sequence sequence;
    private readonly Lazy<Statement> knows;
    private readonly ClientNames clients;
    private readonly EventTypeNames types;
    private readonly ClientEvents clientEvents;
    private readonly JournalTail tail;
    private readonly JournalBell bell;
    private readonly List<Row> rows = [];
    private readonly HashSet<ReportKey> fresh = [];
    private readonly List<(long Seq, Row Row)> followed = []; // what the tail is given
    private bool grew;
    private bool isForgotten;

    public Journal(UnitOfWork work, ClientNames clients, EventTypeNames types, ClientEvents clientEvents, JournalTail tail, JournalBell bell)
    {
        (this.clients, this.types, this.clientEvents, this.tail, this.bell) = (clients, types, clientEvents, tail, bell);
        insert = work.Prepare(Insert);
        sequence = new Sequence(work, "journal", "journal", "seq");
        knows = work.Prepare("SELECT 1 FROM journal WHERE key = ?");
        work.Enlist(this);
    }

    /// <param name="about">The message that all of it is about, with its number.</param>
    public void Append(IReadOnlyList<IDomainEvent> happened, (long No, Message Message)? about = null, ReportKey? key = null)
    {
        foreach (var one in happened)
            rows.Add(new Row(one, types.NumberOf(EventData.NameOf(one)), one.Client is { } client ? clients.NumberOf(client.Value) : null, about, EventData.Of(one), key));
    }

    public ValueTask<bool> KnowsAsync(ReportKey key, CancellationToken cancellation)
    {
        if (fresh.Contains(key)) return ValueTask.FromResult(true);
        return ValueTask.FromResult(knows.Value.AddId(key.Value).Number() is not null);
    }

    public ValueTask SaveAsync(Report report, CancellationToken cancellation)
    {
        if (report.Key is { } key) fresh.Add(key);
        Append(report.TakeEvents(), key: report.Key);
        return ValueTask.CompletedTask;
    }

    public void Flush()
    {
        if (rows.Count == 0) return;
        foreach (var row in rows)
        {
            var seq = sequence.Next();
            if (row.ClientNo is { } client) clientEvents.Add(client, 0, seq);
            else clientEvents.Skip(seq);
            insert.Value.Add(seq).Add(row.TypeNo).Add(row.Happened.At.ToMs()).Add(row.ClientNo).Add(row.About?.No).Add(row.Data).AddId(row.Key?.Value).Run();
            if (tail.IsFollowed) followed.Add((seq, row));
        }
        grew = true;
        rows.Clear();
        fresh.Clear();
    }

    public void Forget()
    {
        rows.Clear();
        fresh.Clear();
        followed.Clear(); // with what was not taken back of the same transaction: that is read from the database
        isForgotten = true;
        sequence.Forget();
    }

    public void Committed() { } // nothing of it is remembered

    public void Tell()
    {
        if (isForgotten) tail.Forget(); // somebody else may have written the database, or events were deleted
        isForgotten = false;
        if (!grew) return;
        grew = false;
        if (followed.Count > 0) tail.Give([.. followed.Select(one => new CommittedEvent(one.Seq, one.Row.Happened, one.Row.Data, one.Row.About?.Message.Content))]);
        followed.Clear();
        bell.Ring(sequence.Last); // read anew where a command was rolled back: what others of its transaction appended is there
    }

    private readonly record struct Row(IDomainEvent Happened, long TypeNo, long? ClientNo, (long No, Message Message)? About, string? Data, ReportKey? Key);
}
