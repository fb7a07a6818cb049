using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace WebhookService.Infrastructure.Persistence;

/// <summary>
/// A statement of the writer, prepared once and run many times a second. Values are bound and read in order, without boxing; this is why the writer
/// does not go through Dapper, which prepares anew for every call.
/// </summary>
internal sealed class Statement : IDisposable
{
    /// <summary>Texts that may be longer are encoded in rented memory, in bytes.</summary>
    private const int OnStack = 512;

    private readonly sqlite3 connection;
    private readonly sqlite3_stmt handle;
    private readonly nint statement;
    private int next;

    public Statement(SqliteConnection connection, string sql)
    {
        this.connection = connection.Handle ?? throw new InvalidOperationException("The connection is not open.");
        Check(raw.sqlite3_prepare_v3(this.connection, sql, raw.SQLITE_PREPARE_PERSISTENT, out handle));
        statement = handle.DangerousGetHandle();
    }

    /// <summary>A mark for each of some columns.</summary>
    public static string Marks(string columns) => string.Join(", ", columns.Split(',').Select(_ => "?"));

    public Statement Add(long value)
    {
        Check(SqliteBinding.Number(statement, ++next, value));
        return this;
    }

    public Statement Add(long? value) => value is { } known ? Add(known) : AddNull();

    public Statement Add(bool value) => Add(value ? 1L : 0L);

    public Statement Add(bool? value) => value is { } known ? Add(known) : AddNull();

    public Statement Add(string? value)
    {
        if (value is null) return AddNull();
        var most = Encoding.UTF8.GetMaxByteCount(value.Length);
        var rented = most > OnStack ? ArrayPool<byte>.Shared.Rent(most) : null;
        var utf8 = rented ?? stackalloc byte[OnStack];
        AddText(utf8[..Encoding.UTF8.GetBytes(value, utf8)]);
        if (rented is not null) ArrayPool<byte>.Shared.Return(rented);
        return this;
    }

    public Statement AddText(ReadOnlySpan<byte> utf8)
    {
        Check(SqliteBinding.Text(statement, ++next, utf8));
        return this;
    }

    /// <summary>As 16 bytes, big endian.</summary>
    public Statement AddId(UInt128? value)
    {
        if (value is not { } known) return AddNull();
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, known);
        return Add(bytes);
    }

    public Statement Add(ReadOnlySpan<byte> value)
    {
        Check(value.IsEmpty ? SqliteBinding.Zeros(statement, ++next, 0) : SqliteBinding.Blob(statement, ++next, value));
        return this;
    }

    public Statement AddNull()
    {
        Check(SqliteBinding.Null(statement, ++next));
        return this;
    }

    /// <summary>Runs it to the end; the rows it may give are dropped.</summary>
    public void Run()
    {
        while (Step()) { }
    }

    /// <summary>Runs it and gives the first column of its first row; null if there is none.</summary>
    public long? Number()
    {
        var number = Step() ? SqliteBinding.NumberIn(statement, 0) : (long?)null;
        Reset();
        return number;
    }

    /// <summary>Runs it to the end and gives the first column of its first row; null if there is none.</summary>
    public string? Text()
    {
        if (!Step()) return null;
        var text = new StatementRow(statement).Text();
        Run();
        return text;
    }

    /// <summary>Runs it to the end and gives all its rows.</summary>
    public List<T> Rows<T>(RowReader<T> read)
    {
        var rows = new List<T>();
        try
        {
            while (Step())
            {
                var row = new StatementRow(statement);
                rows.Add(read(ref row));
            }
            return rows;
        }
        catch
        {
            Reset(); // it stands on the row that could not be read
            throw;
        }
    }

    public void Dispose() => handle.Dispose();

    private bool Step()
    {
        var code = SqliteBinding.Step(statement);
        if (code is raw.SQLITE_ROW) return true;
        Reset();
        if (code is not raw.SQLITE_DONE) SqliteException.ThrowExceptionForRC(code, connection);
        return false;
    }

    /// <summary>Forgets what was bound, such as by a chain that was broken off half-way.</summary>
    public void Reset()
    {
        next = 0;
        _ = SqliteBinding.Reset(statement); // repeats the code that step gave
    }

    private void Check(int code)
    {
        if (code is not raw.SQLITE_OK) SqliteException.ThrowExceptionForRC(code, connection);
    }
}
